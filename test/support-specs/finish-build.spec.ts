import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../support/build-service';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';

describe('the end of a build', () => {
  let root: string;
  const write = (name: string, text = ''): void => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  const has = (name: string): boolean => existsSync(join(root, name));
  const finish = (): void => {
    const code = `import { finishBuild } from ${JSON.stringify(join(repositoryRoot, 'web/finish-build.mjs'))}; finishBuild(${JSON.stringify(root)}, ${JSON.stringify(join(root, 'page'))});`;
    execFileSync(process.execPath, ['--input-type=module', '-e', code]);
  };
  beforeEach(() => {
    root = makeTempFolder('build');
    write('page/index.html', 'new');
    write('page/assets/new.js');
  });
  afterEach(() => removeTempFolder(root));

  it('keeps what has a source, and removes what has none any more', () => {
    for (const name of ['src/main', 'src/cache/kept', 'simulator/kept']) write(`${name}.ts`);
    for (const name of ['src/main.js', 'src/cache/kept.js', 'src/cache/kept.js.map', 'simulator/kept.js'])
      write(`dist/${name}`, 'compiled');
    for (const name of ['src/gone.js', 'src/gone.js.map', 'test/race/gone.js']) write(`dist/${name}`);
    write('dist/src/.tsbuildinfo');
    finish();
    for (const name of [
      'src/main.js',
      'src/cache/kept.js',
      'src/cache/kept.js.map',
      'simulator/kept.js',
      'src/.tsbuildinfo',
    ])
      expect([name, has(`dist/${name}`)]).toEqual([name, true]);
    for (const name of ['src/gone.js', 'src/gone.js.map', 'test/race/gone.js'])
      expect([name, has(`dist/${name}`)]).toEqual([name, false]);
  });

  it.each([true, false])('exchanges the page as a whole (one was there: %p)', (wasThere) => {
    if (wasThere) write('dist/web/index.html', 'old');
    if (wasThere) write('dist/web/assets/old.js');
    finish();
    expect(readFileSync(join(root, 'dist/web/index.html'), 'utf8')).toBe('new');
    expect(readdirSync(join(root, 'dist/web/assets'))).toEqual(['new.js']);
    expect(readdirSync(join(root, 'dist'))).toEqual(['web']);
  });
});
