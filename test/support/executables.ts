import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export type ExecutableName = 'redis-server' | 'redis-cli' | 'openssl';

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
    `The tests need ${names.join(' and ')} on PATH; install the Debian packages redis-server and openssl ` +
    `(brew: redis, openssl), or point REDIS_SERVER_BIN to a redis-server of version 7 or later.`
  );
}

function candidates(name: ExecutableName): string[] {
  const chosen = process.env['REDIS_SERVER_BIN'];
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  if (chosen === undefined || chosen === '' || name === 'openssl') return onPath;
  return name === 'redis-server' ? [chosen] : [join(dirname(chosen), name), ...onPath];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
