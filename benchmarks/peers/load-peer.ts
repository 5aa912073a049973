import { createRequire } from 'node:module';
import { join } from 'node:path';
import { projectRoot } from '../harness/folders';

/** Loads a package that only peers need: from benchmarks/node_modules, which the compiled code in dist/ is not under. */
export function loadPeer<T>(name: string): T {
  const load = createRequire(join(projectRoot, 'benchmarks/package.json'));
  try {
    return load(name) as T;
  } catch (error) {
    throw new Error(`${name} does not load; run "npm install" in benchmarks/.`, { cause: error });
  }
}
