import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Ends a build without taking a file away that a running service may still load (a worker that starts in the place of one that died): the
 * compiler has written what changed, over what was there; what has no source any more goes now, and the page is exchanged as a whole.
 *
 * @param {string} root the project's folder
 * @param {string} page the folder of the built page
 */
export function finishBuild(root, page) {
  const dist = join(root, 'dist');
  mkdirSync(dist, { recursive: true });
  for (const folder of readdirSync(dist, { withFileTypes: true }))
    if (folder.isDirectory() && folder.name !== 'web') removeWithoutSource(root, folder.name);
  const [next, last] = [join(dist, `web.${process.pid}`), join(dist, `web.${process.pid}.last`)];
  cpSync(page, next, { recursive: true });
  if (existsSync(join(dist, 'web'))) renameSync(join(dist, 'web'), last);
  renameSync(next, join(dist, 'web'));
  rmSync(last, { recursive: true, force: true });
  // The compiler leaves what has not changed: this says when it was last compared.
  const main = join(dist, 'src/main.js');
  if (existsSync(main)) utimesSync(main, new Date(), new Date());
}

/** Compiled files whose source was deleted or renamed. */
function removeWithoutSource(root, folder) {
  for (const name of readdirSync(join(root, 'dist', folder), { recursive: true, encoding: 'utf8' })) {
    const [, source] = /^(.*)\.js(?:\.map)?$/.exec(name) ?? [];
    if (source !== undefined && !existsSync(join(root, folder, `${source}.ts`)))
      rmSync(join(root, 'dist', folder, name));
  }
}
