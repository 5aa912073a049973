import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The programs that Debian has and npm has not: name, package. */
export const programs = { wrk: 'wrk', nginx: 'nginx-light', varnishd: 'varnish', taskset: 'util-linux' } as const;

export type Program = keyof typeof programs;

/** Where it is, or undefined. Daemons live in /usr/sbin, which not every PATH has. */
export function findProgram(name: Program): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** What to say of one that is missing. */
export function absence(name: Program): string | undefined {
  if (findProgram(name) !== undefined) return undefined;
  return `there is no ${name}; apt-get install ${programs[name]}, or node dist/benchmarks/install-peers.js`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
