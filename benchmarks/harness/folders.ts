import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Where the compiled code is: the parent of `benchmarks/`, `src/` and `simulator/`, as a rule `dist/`. */
export const compiledRoot = resolve(__dirname, '../..');

/** The repository's own folder. */
export const projectRoot = findProject(compiledRoot);

/** Where results are written. */
export const resultsFolder = join(projectRoot, 'benchmarks/results');

/** The compiled script of a peer. */
export function peerScript(name: string): string {
  return join(compiledRoot, 'benchmarks/peers', `${name}.js`);
}

function findProject(from: string): string {
  if (existsSync(join(from, '.env.sample'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('The benchmarks are not inside the repository; run them by "npm run bench".');
  return findProject(parent);
}
