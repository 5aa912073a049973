import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { DEBIAN_PACKAGES, findExecutable, missingMessage, packagesOf, type ExecutableName } from './executables';
import { withFileLock } from './file-lock';

const run = promisify(execFile);
const needed = Object.keys(DEBIAN_PACKAGES) as ExecutableName[];

/**
 * Jest globalSetup: makes sure that the real servers and tools are on this machine. Root on Debian gets them from apt-get; anyone
 * else gets one sentence. Runs once a project; the second run finds everything in place.
 */
export default async function installServers(): Promise<void> {
  if (missing().length === 0) return;
  await withFileLock('install-servers', async () => {
    if (missing().length > 0 && mayInstall()) await installPackages(packagesOf(missing()));
  });
  const stillMissing = missing();
  if (stillMissing.length > 0) throw new Error(missingMessage(stillMissing));
}

function missing(): ExecutableName[] {
  return needed.filter((name) => findExecutable(name) === undefined);
}

/** Whether packages can be installed here. */
export function mayInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get');
}

export async function installPackages(packages: readonly string[]): Promise<void> {
  // RUNLEVEL=1 keeps packages from starting their services, which no test uses.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120'];
  await run('apt-get', ['update', ...options], { env });
  await run('apt-get', ['install', '-y', '--no-install-recommends', ...options, ...packages], { env });
}
