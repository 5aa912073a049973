import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildService } from '../support/build-service';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';

/** Stands in for the Nest CLI: notes each build in a file, and fails when told to. */
const NEST = `
  const fs = require('node:fs');
  fs.appendFileSync('builds', process.argv[2] + '\\n');
  if (fs.existsSync('src/broken.ts')) { console.error('src/broken.ts: error TS1'); process.exit(1); }
  fs.mkdirSync('dist/src', { recursive: true });
  fs.writeFileSync('dist/src/main.js', '');
`;

describe('buildService', () => {
  let root: string;
  const builds = () => readFileSync(join(root, 'builds'), 'utf8');
  const touch = (file: string) => {
    writeFileSync(join(root, file), '');
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(root, file), later, later);
  };

  beforeEach(() => {
    root = makeTempFolder('build');
    for (const folder of ['src', 'simulator', 'node_modules/@nestjs/cli/bin']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    writeFileSync(join(root, 'src/main.ts'), '');
    writeFileSync(join(root, 'node_modules/@nestjs/cli/bin/nest.js'), NEST);
  });

  afterEach(() => removeTempFolder(root));

  it('builds once for callers at the same time, and not again while nothing changed', async () => {
    await Promise.all([buildService(root), buildService(root), buildService(root)]);
    await buildService(root);
    expect(builds()).toBe('build\n');
  });

  it.each(['src/new.ts', 'simulator/new.ts', 'tsconfig.build.json'])('builds again when %s is newer', async (file) => {
    await buildService(root);
    touch(file);
    await buildService(root);
    expect(builds()).toBe('build\nbuild\n');
  });

  it('reports the message of the compiler', async () => {
    writeFileSync(join(root, 'src/broken.ts'), '');
    await expect(buildService(root)).rejects.toThrow(/does not build[^]*error TS1/);
    rmSync(join(root, 'src/broken.ts'));
    await buildService(root);
  });
});
