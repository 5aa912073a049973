import type { Clock } from '../../../kernel/clock';
import { endOfLife, type CacheEntry, type HeaderList } from '../cache-entry';
import type { CacheStore, Lease } from '../cache-store';
import { ifAvailable } from '../if-available';
import { newToken } from '../random-id';
import { covers, indexFor, keyBeside } from '../resource-index';
import type { HttpCacheRequest, OriginResponse } from './exchange';
import { valueOf } from './fields';
import { httpEntry, validatedEntry } from './http-entries';
import type { ResponsePolicy } from './response-policy';
import { selectionKey, varyNames } from './selection';
import type { SharedBody } from './shared-body';
import type { Seen } from './variants';

export interface VariantWriterOptions {
  /** How long after it is stale a response is kept, to be validated or asked for by `max-stale`, in milliseconds. */
  readonly keepMs: number;
  /** Request fields that every response is selected by, whatever its `Vary` says, in lower case. */
  readonly selecting: readonly string[];
}

/** A response that may be stored, as it comes. */
export interface Arriving {
  readonly response: OriginResponse;
  readonly policy: ResponsePolicy;
  readonly body: SharedBody;
  /** The fields that select it; undefined where no request selects it again. */
  readonly names: readonly string[] | undefined;
}

const INDEX_LEASE_MS = 1_000;

/**
 * Puts responses where requests find them: each as a variant, behind the index of its URL.
 *
 * Its one invariant: nothing is stored but under a lease, or in the place of an index that is still the one seen before the
 * load. A store that fails takes nothing from the answer.
 */
export class VariantWriter {
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly options: VariantWriterOptions,
  ) {}

  /** The fields that select the response among others: those it names, and those that may have changed it unnamed. */
  selectingNames(headers: HeaderList): readonly string[] | undefined {
    const names = varyNames(headers);
    return names && [...new Set([...names, ...this.options.selecting])].sort();
  }

  /** Stores a whole response: the variant, and the index that finds it. Rejects where the body breaks off. */
  async keep(lease: Lease, request: HttpCacheRequest, seen: Seen, arriving: Arriving): Promise<boolean> {
    const { response, policy, body, names } = arriving;
    const bytes = await body.whole();
    const now = this.clock.now();
    if (bytes === undefined || names === undefined) return this.giveBack(lease);
    const { upstream, key, tags, headers } = request;
    const entry = await httpEntry(response, bytes, policy, { upstream, keepMs: this.options.keepMs });
    const endsAt = endOfLife(entry);
    if (endsAt <= now) return this.giveBack(lease);
    const joining = { names, endsAt };
    if (seen.index && covers(seen.index, joining))
      return (await ifAvailable(() => this.store.fill(lease, entry))) === true;
    const variant = selectionKey(names, headers);
    const index = indexFor(seen.index, { ...joining, variant }, { upstream, tags, now });
    const place = keyBeside(key, index.generation, variant);
    if (!seen.index) {
      // The variant first: who finds the index is to find the variant.
      const beside = { key: place, entry };
      return (await ifAvailable(() => this.store.fill(lease, index.entry, beside))) === true;
    }
    if (place === lease.key) await ifAvailable(() => this.store.fill(lease, entry));
    else await Promise.all([ifAvailable(() => this.store.put(place, entry)), this.giveBack(lease)]);
    return this.replaceIndex(key, tags, seen.index.entry.id, index.entry);
  }

  /** What is stored once the upstream has said that it still holds (RFC 9111 §4.3.4), and whether it is. */
  async freshen(
    lease: Lease,
    base: CacheEntry,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<{ readonly entry: CacheEntry; readonly stored: boolean }> {
    const entry = validatedEntry(base, response, policy, this.options.keepMs);
    return { entry, stored: (await ifAvailable(() => this.store.freshen(lease, entry))) === true };
  }

  /** A HEAD tells whether the stored GET still holds (RFC 9111 §4.3.5): if so it is freshened, else it is not used again. */
  async heedHead(
    tags: readonly string[],
    { entry, key }: { readonly entry: CacheEntry; readonly key: string },
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<void> {
    if (response.status !== 200) return;
    const differs = (['etag', 'last-modified', 'content-length'] as const).some((name) => {
      const told = valueOf(response.headers, name);
      return told !== undefined && told !== valueOf(entry.headers, name);
    });
    await ifAvailable(async () => {
      if (differs) {
        await this.store.invalidate({ kind: 'key', key }, 'purge');
        return;
      }
      if (!policy.isStorable) return;
      const asking = { key, token: newToken(), tags, seenId: entry.id, leaseMs: INDEX_LEASE_MS };
      const answer = await this.store.acquire(asking);
      if (answer.kind === 'granted') await this.freshen(answer.lease, entry, response, policy);
    });
  }

  async giveBack(lease: Lease): Promise<false> {
    await ifAvailable(() => this.store.release(lease));
    return false;
  }

  /** Replaces the index that was seen before the load, if it is still there: else an invalidation came between. */
  private async replaceIndex(
    key: string,
    tags: readonly string[],
    seenId: string,
    index: CacheEntry,
  ): Promise<boolean> {
    const token = newToken();
    const stored = await ifAvailable(async () => {
      const answer = await this.store.acquire({ key, token, tags, seenId, leaseMs: INDEX_LEASE_MS });
      return answer.kind === 'granted' && (await this.store.fill(answer.lease, index));
    });
    return stored === true;
  }
}
