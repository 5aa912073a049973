import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finishBuild } from './finish-build.mjs';

/*
 * Builds the page into dist/web, the second half of `npm run build`. The built page is kept in node_modules/.cache under the hash of its sources:
 * unchanged sources cost a copy, not a build.
 */

const web = dirname(fileURLToPath(import.meta.url));
const root = dirname(web);
const cache = join(root, 'node_modules/.cache/larder-page');

const built = join(cache, hashOfSources());
if (!existsSync(built)) await build();
finishBuild(root, built);

/** Everything that decides what the build produces: the sources and the versions of what they are built with. */
function hashOfSources() {
  const hash = createHash('sha256');
  const names = readdirSync(web, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of [...names, join(root, 'package-lock.json')].sort()) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 32);
}

/** Into a folder of its own, renamed when it is complete: a build that was interrupted is never taken for a finished one. */
async function build() {
  process.env['NODE_ENV'] = 'production'; // Vite takes the mode of who builds: under a test runner that is Vue's larger development build
  const { build: viteBuild } = await import('vite');
  rmSync(cache, { recursive: true, force: true });
  const unfinished = `${built}.${process.pid}`;
  await viteBuild({
    configFile: join(web, 'vite.config.mts'),
    logLevel: 'warn',
    build: { outDir: unfinished, emptyOutDir: true },
  });
  if (existsSync(built)) rmSync(unfinished, { recursive: true });
  else renameSync(unfinished, built);
}
