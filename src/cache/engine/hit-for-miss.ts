import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import { selectionKey } from '../law/selection';
import type { HttpCacheRequest } from '../model/exchange';

/** How long loads of a URL with an unshareable response do not wait for each other. */
const HIT_FOR_MISS_MS = 60_000;
const MAX_UNCOALESCED_KEYS = 10_000;

/** Which requests are not coalesced, because an earlier response to one like them was not shareable ("hit-for-miss"). */
export class HitForMiss {
  private readonly uncoalesced = new LRUCache<string, true>({ ...atMost(MAX_UNCOALESCED_KEYS), ttl: HIT_FOR_MISS_MS });

  /** @param selecting request fields that select every response, in lower case */
  constructor(private readonly selecting: readonly string[]) {}

  isUncoalesced(request: HttpCacheRequest): boolean {
    return this.uncoalesced.has(this.keyOf(request));
  }

  /** Remembers whether later requests of the URL may wait for each other: they may again after a shareable response. */
  note(request: HttpCacheRequest, status: number, isShareable: boolean): void {
    if (isShareable) this.uncoalesced.delete(this.keyOf(request));
    else if (status < 400) this.uncoalesced.set(this.keyOf(request), true);
  }

  /** Requests of a URL with equal values of the fields that select every response. */
  private keyOf({ key, headers }: HttpCacheRequest): string {
    return `${key}|${selectionKey(this.selecting, headers)}`;
  }
}
