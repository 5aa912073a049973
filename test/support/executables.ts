import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** The programs that the tests run, and the Debian package that brings each. */
export const DEBIAN_PACKAGES = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-server',
  openssl: 'openssl',
  promtool: 'prometheus',
  chromium: 'chromium',
} as const;

export type ExecutableName = keyof typeof DEBIAN_PACKAGES;

/**
 * Finds the programs that the tests run. `REDIS_SERVER_BIN` (a path) wins over PATH for redis-server, and its folder is
 * looked into first for redis-cli.
 */
export function findExecutable(name: ExecutableName): string | undefined {
  return candidates(name).find(isExecutable);
}

/** As `findExecutable`, but absence is an error that says what to install. */
export function getExecutable(name: ExecutableName): string {
  const path = findExecutable(name);
  if (path === undefined) throw new Error(missingMessage([name]));
  return path;
}

export function missingMessage(names: readonly ExecutableName[]): string {
  return (
    `The tests need ${names.join(' and ')} on PATH; install the Debian packages ${packagesOf(names).join(' and ')} ` +
    `(brew: the same names, redis for redis-server). REDIS_SERVER_BIN may name a redis-server of version 7 or later.`
  );
}

/** The Debian packages that bring these programs, each once. */
export function packagesOf(names: readonly ExecutableName[]): string[] {
  return [...new Set(names.map((name) => DEBIAN_PACKAGES[name]))];
}

function candidates(name: ExecutableName): string[] {
  const chosen = process.env['REDIS_SERVER_BIN'];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  if (chosen === undefined || chosen === '') return onPath;
  if (name === 'redis-server') return [chosen];
  return name === 'redis-cli' ? [join(dirname(chosen), name), ...onPath] : onPath;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
