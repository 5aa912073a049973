import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { withFileLock } from './file-lock';

/** The folder with package.json and dist/. */
export const repositoryRoot = resolve(__dirname, '../..');

const sourceFolders = ['src', 'simulator', 'testing'];
const sourceFiles = ['tsconfig.build.json', 'tsconfig.json', 'nest-cli.json', 'package.json'];

/** Builds the service and its page unless what was built is newer than every file it is made of. One build at a time. */
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
    if (existsSync(pageBuild(root))) await promisify(execFile)(process.execPath, [pageBuild(root)], { cwd: root });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`The service does not build, run "npm run build":\n${stdout}${stderr}`, { cause: error });
  }
}

function isFresh(root: string): boolean {
  if (modifiedMs(join(root, 'dist/src/main.js')) < newestSourceMs(root)) return false;
  return !existsSync(pageBuild(root)) || modifiedMs(join(root, 'dist/web/index.html')) >= newestOf([join(root, 'web')]);
}

/** The second half of `npm run build`. */
function pageBuild(root: string): string {
  return join(root, 'web/build.mjs');
}

/** 0 for what is not there. */
function modifiedMs(file: string): number {
  return existsSync(file) ? statSync(file).mtimeMs : 0;
}

function newestSourceMs(root: string): number {
  const files = sourceFiles.map((file) => modifiedMs(join(root, file)));
  return Math.max(1, newestOf(sourceFolders.map((folder) => join(root, folder))), ...files);
}

function newestOf(folders: readonly string[]): number {
  return Math.max(0, ...folders.flatMap(filesUnder).map(modifiedMs));
}

/** The files and folders that go into the build; a folder's own time tells of a file that was deleted. */
function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return [folder, ...names.filter((name) => !name.endsWith('.spec.ts')).map((name) => join(folder, name))];
}
