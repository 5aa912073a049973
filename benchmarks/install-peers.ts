import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './harness/folders';
import { tell } from './harness/progress';
import { findProgram, programs, type Program } from './sides/programs';

/*
 * What the benchmarks need beside the service: wrk, nginx and Varnish from Debian, and the packages of the stock peers.
 */

const absent = (Object.keys(programs) as Program[]).filter((name) => findProgram(name) === undefined);
const packages = absent.map((name) => programs[name]);

if (packages.length === 0) tell('wrk, nginx and Varnish are there.');
else if (process.getuid?.() === 0) {
  execFileSync('apt-get', ['update'], { stdio: 'inherit' });
  // RUNLEVEL=1 keeps the packages from starting their services
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { stdio: 'inherit', env });
} else tell(`Missing; as root: apt-get install -y --no-install-recommends ${packages.join(' ')}`);

execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: join(projectRoot, 'benchmarks'), stdio: 'inherit' });
