import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from './wait-until';

/**
 * Runs the work while holding a lock that is unique on this machine, so that two Jest runs do not do the same set-up at
 * once. The lock is a file with its holder's pid; a lock whose holder is dead is taken over.
 */
export async function withFileLock<T>(name: string, work: () => Promise<T>, timeoutMs = 180_000): Promise<T> {
  const path = join(tmpdir(), `larder-${createHash('sha256').update(name).digest('hex').slice(0, 16)}.lock`);
  await waitUntil(() => tryLock(path), { what: `the lock ${path} (${name})`, timeoutMs, pollMs: 50 });
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function tryLock(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!isHeld(path)) rmSync(path, { force: true });
    return false;
  }
}

function isHeld(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    // An empty file is a lock whose holder has not written its pid yet.
    if (pid > 0) process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, but another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
