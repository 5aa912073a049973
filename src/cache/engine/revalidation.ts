import { valueOf } from '../law/fields';
import type { ResponsePolicy } from '../law/response-policy';
import { EVERY_FIELD, joinedNames, varyNames } from '../law/selection';
import { endOfLife, type CacheEntry } from '../model/cache-entry';
import type { HttpCacheRequest, OriginResponse } from '../model/exchange';
import { newToken } from '../model/random-id';
import { alreadyContains, type ResourceIndex } from '../model/resource-index';
import { markOf } from '../model/soft-purge';
import type { CacheStore, Lease } from '../store/cache-store';
import { ifAvailable } from '../store/if-available';
import type { HttpCacheOptions } from './http-cache.options';
import { validatedEntry, type EntryOptions } from './http-entries';
import type { IndexWriter } from './index-writer';

/** A stored response under validation, and the index that named it when the load began. */
export interface Validated {
  readonly entry: CacheEntry;
  readonly index: ResourceIndex | undefined;
}

/** The life of a lease that no load needs. */
const SHORT_LEASE_MS = 1_000;

/**
 * What the origin says of a stored response without sending it again, by a 304 or by the response to a HEAD.
 *
 * Its one invariant: only the response whose validators were compared is freshened, and under a lease.
 */
export class Revalidation {
  constructor(
    private readonly store: CacheStore,
    private readonly indexes: IndexWriter,
    private readonly options: HttpCacheOptions,
  ) {}

  /** Stores the freshened entry after the upstream has validated it (RFC 9111 §4.3.4); returns it and whether it was stored. */
  async freshen(
    lease: Lease,
    request: Pick<HttpCacheRequest, 'key' | 'upstream' | 'tags' | 'projection'>,
    { entry: base, index }: Validated,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<{ readonly entry: CacheEntry; readonly stored: boolean }> {
    const validated = validatedEntry(base, response, policy, this.optionsUnder(index));
    // A rule may have other tags now than when the response was stored; those of a member are its index's.
    const entry = index ? validated : { ...validated, tags: [...new Set([...base.tags, ...request.tags])] };
    const stored = (await ifAvailable(() => this.store.fill(lease, entry, { keepsBody: true }))) === true;
    const { projection } = request;
    const update = { ...(projection === undefined ? {} : { projection }), endsAt: endOfLife(entry) };
    if (stored && index && !alreadyContains(index, update)) await this.indexes.add(request, index, update);
    return { entry, stored };
  }

  /** A HEAD shows whether the stored GET still holds (RFC 9111 §4.3.5): if so it is freshened, else it is not used again. */
  async applyHeadResponse(
    request: HttpCacheRequest,
    { entry, key, index }: Validated & { readonly key: string },
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<void> {
    if (response.status !== 200) return;
    const isSame = (name: string): boolean | undefined => {
      const updated = valueOf(response.headers, name);
      return updated === undefined ? undefined : updated === valueOf(entry.headers, name);
    };
    const validators = [isSame('etag'), isSame('last-modified')];
    const differs = [...validators, isSame('content-length')].includes(false);
    // A length alone does not show that the body is the same.
    if (!differs && !validators.includes(true)) return;
    await ifAvailable(async () => {
      if (differs) {
        await this.store.invalidate({ kind: 'key', key }, 'purge');
        return;
      }
      const { tags } = request;
      const indexMark = markOf(index?.entry);
      const asking = { key, token: newToken(), tags, seenId: entry.id, leaseMs: SHORT_LEASE_MS, indexMark };
      const answer = await this.store.acquire(asking);
      if (answer.kind === 'granted') await this.freshen(answer.lease, request, { entry, index }, response, policy);
    });
  }

  /** A validated entry that is not stored. */
  async leave(
    lease: Lease,
    base: Validated,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<{ readonly entry: CacheEntry; readonly stored: boolean }> {
    await ifAvailable(() => this.store.release(lease));
    const entry = validatedEntry(base.entry, response, policy, this.optionsUnder(base.index));
    return { entry, stored: false };
  }

  /** Whether a 304 keeps the fields that select the stored response, or names fewer. */
  selectsAsBefore(base: CacheEntry, { headers }: OriginResponse): boolean {
    const named = varyNames(base.headers);
    const known = named && joinedNames(named, this.options.selecting);
    if (known === undefined || known.includes(EVERY_FIELD)) return true;
    return (varyNames(headers) ?? []).every((name) => known.includes(name));
  }

  private optionsUnder(index: ResourceIndex | undefined): EntryOptions {
    return { ...this.options, indexMark: markOf(index?.entry) };
  }
}
