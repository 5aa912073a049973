import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetFolder, watchFolder } from './reaper';

/** A new folder in the system's temporary one; it goes when `removeTempFolder` is called or this process dies. */
export function makeTempFolder(purpose: string): string {
  const path = mkdtempSync(join(tmpdir(), `larder-${purpose}-`));
  watchFolder(path);
  return path;
}

export function removeTempFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  forgetFolder(path);
}
