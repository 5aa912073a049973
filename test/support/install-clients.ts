import { execFileSync } from 'node:child_process';
import { installPackages, mayInstall } from './install-servers';
import { withFileLock } from './file-lock';

/** Clients of GitHub as Debian packages, and how each shows that it is there. */
const CLIENTS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  curl: ['curl', '--version'],
  gh: ['gh', '--version'],
  'python3-github': ['/usr/bin/python3', '-c', 'import github'],
  'ruby-octokit': ['/usr/bin/ruby', '-e', "require 'octokit'"],
};

/** Makes sure that the clients are on this machine: root on Debian gets them from apt-get; anyone else gets one sentence. */
export async function installClients(): Promise<void> {
  if (missing().length === 0) return;
  await withFileLock('install-servers', async () => {
    const packages = missing();
    if (packages.length > 0 && mayInstall()) await installPackages(packages);
  });
  const packages = missing();
  if (packages.length > 0)
    throw new Error(`The tests need clients of GitHub; install the Debian packages ${packages.join(' and ')}.`);
}

function missing(): string[] {
  return Object.entries(CLIENTS).flatMap(([name, [program, ...args]]) => (runs(program, args) ? [] : [name]));
}

function runs(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
