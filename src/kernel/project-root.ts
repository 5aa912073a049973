import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json: above `src` and above `dist/src` alike. */
export function projectRoot(folder: string = __dirname): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('No package.json stands above the service: its folder is incomplete.');
  return projectRoot(parent);
}

/** The version in package.json. */
export function serviceVersion(): string {
  const { version } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as { version?: string };
  return version ?? 'unknown';
}
