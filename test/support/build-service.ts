import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { withFileLock } from './file-lock';

/** The folder with package.json and dist/. */
export const repositoryRoot = resolve(__dirname, '../..');

const sourceFolders = ['src', 'simulator'];
const sourceFiles = ['tsconfig.build.json', 'tsconfig.json', 'nest-cli.json', 'package.json'];

/** Builds the service unless dist/src/main.js is newer than every file it is made of. One build at a time. */
export async function buildService(root = repositoryRoot): Promise<void> {
  if (isFresh(root)) return;
  await withFileLock(`build ${root}`, async () => {
    if (!isFresh(root)) await build(root);
  });
}

async function build(root: string): Promise<void> {
  const nest = join(root, 'node_modules/@nestjs/cli/bin/nest.js');
  try {
    await promisify(execFile)(process.execPath, [nest, 'build'], { cwd: root });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`The service does not build, run "npm run build":\n${stdout}${stderr}`, { cause: error });
  }
}

function isFresh(root: string): boolean {
  const main = join(root, 'dist/src/main.js');
  return existsSync(main) && statSync(main).mtimeMs >= newestSourceMs(root);
}

function newestSourceMs(root: string): number {
  const inFolders = sourceFolders.flatMap((folder) => filesUnder(join(root, folder)));
  const files = [...inFolders, ...sourceFiles.map((file) => join(root, file))];
  return Math.max(0, ...files.filter((file) => existsSync(file)).map((file) => statSync(file).mtimeMs));
}

/** The files and folders that go into the build; a folder's own time tells of a file that was deleted. */
function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return [folder, ...names.filter((name) => !name.endsWith('.spec.ts')).map((name) => join(folder, name))];
}
