import { randomFillSync } from 'node:crypto';

const POOL = Buffer.alloc(6_144);
const ENTRY_ID_BYTES = 9;
const TOKEN_BYTES = 12;
const GENERATION_BYTES = 6;
let used = POOL.length;

/** The id of an entry: 12 characters of base64url. */
export function newEntryId(): string {
  return randomText(ENTRY_ID_BYTES);
}

/** The name of a lease's holder: 16 characters of base64url. */
export function newToken(): string {
  return randomText(TOKEN_BYTES);
}

/** The generation of a resource's index: 8 characters of base64url. */
export function newGeneration(): string {
  return randomText(GENERATION_BYTES);
}

/** From a pool of random bytes: a load needs five ids, and a call for a few bytes takes as long as one for many. */
function randomText(bytes: number): string {
  if (used + bytes > POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  return POOL.toString('base64url', used, (used += bytes));
}
