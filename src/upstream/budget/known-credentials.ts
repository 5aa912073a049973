import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import { ANONYMOUS } from '../gateway/partition';

const MAX_CREDENTIALS = 10_000;
const ACCEPTED_MS = 3_600_000;

/** What the upstream has said about credentials: the ids of partitions, never a token. */
export class KnownCredentials {
  /** Those for which it has answered something other than 401. */
  private readonly accepted = new LRUCache<string, true>({ ...atMost(MAX_CREDENTIALS), ttl: ACCEPTED_MS });
  /** When it last answered 401 for one. */
  private readonly refusedAt = new LRUCache<string, number>(atMost(MAX_CREDENTIALS));

  note(credential: string, status: number, now: number): void {
    if (status === 401) this.refusedAt.set(credential, now);
    else if (credential !== ANONYMOUS) this.accepted.set(credential, true);
  }

  /** Whether the upstream has recently answered this process with a status other than 401 for a credential. */
  hasAccepted(credential: string): boolean {
    return this.accepted.has(credential);
  }

  /** Whether the upstream has answered this process with a 401 for a credential since an instant. */
  hasRefusedSince(credential: string, since: number): boolean {
    return (this.refusedAt.get(credential) ?? -Infinity) >= since;
  }
}
