import { AppError } from '../../../kernel/app-error';
import type { Clock } from '../../../kernel/clock';
import type { CacheEntry } from '../cache-entry';
import type { CacheStore } from '../cache-store';
import type { Loader } from '../loader';
import { markOf } from '../soft-purge';
import { settlesWithin, within } from '../within';
import type { HttpAnswer, HttpCacheRequest, Origin, OriginResponse, StoredAnswer, StreamedAnswer } from './exchange';
import { hasFailed, policyOf, policyOfUpdated, verdictOf, verdictOnEntry } from './exchange-policy';
import { valueOf } from './fields';
import { fieldsForOthers } from './http-entries';
import {
  declaredLength,
  hasConditions,
  HttpLoads,
  maySharedWith,
  type Head,
  type HttpLoadsOptions,
} from './http-loads';
import { requestPolicy, type RequestPolicy } from './request-policy';
import { mayStandIn, reuseOf } from './reuse';
import { selectsByOwnFields } from './selection';
import { VariantWriter, type VariantWriterOptions } from './variant-writer';
import { VariantFinder, type Seen } from './variants';

export interface HttpCacheOptions extends VariantWriterOptions, HttpLoadsOptions {
  /**
   * How long a request may wait for a load that goes on and is stored, in milliseconds. A response that is for this request alone is
   * waited for as long as the upstream may take.
   */
  readonly deadlineMs: number;
  /** The same where a stale entry could answer. */
  readonly staleAfterMs: number;
}

/** Up to here a body is waited for, so that it goes out in one piece; beyond it is streamed. */
const IN_ONE_PIECE_BYTES = 65_536;
/** And for so long at most, in milliseconds: a body that comes slowly goes on to its client. */
const IN_ONE_PIECE_MS = 1_000;
const LOOKS = 3;

/**
 * An HTTP cache (RFC 9111): GET and HEAD answered from the store where the law lets it, else from the origin, one load for
 * those who would get the same.
 *
 * Its one invariant: a response is given to another request than its own only if it may be stored for it and that request
 * selects it. The law is in the questions beside this file; the races are the store's.
 */
export class HttpCache {
  private readonly loads: HttpLoads;
  private readonly writer: VariantWriter;
  private readonly variants: VariantFinder;

  constructor(
    store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly options: HttpCacheOptions,
  ) {
    this.variants = new VariantFinder(store, options.selecting);
    this.writer = new VariantWriter(store, clock, options);
    this.loads = new HttpLoads(store, loader, this.writer, clock, options);
  }

  /** @throws AppError where there is neither an entry that may be served nor a response */
  async exchange(request: HttpCacheRequest, origin: Origin): Promise<HttpAnswer> {
    const policy = requestPolicy(request.headers);
    const isPlain = request.method === 'GET' && valueOf(request.headers, 'range') === undefined && !policy.isNoStore;
    const isApart = this.loads.isApart(request);
    for (let look = 0; look < LOOKS; look++) {
      const mayLoad = isPlain && !policy.isOnlyIfCached && !isApart;
      const leaseMs = mayLoad ? this.loader.leaseMs : undefined;
      const seen = await this.variants.find(request, this.clock.now(), leaseMs);
      const stored = this.fromStore(request, policy, seen, origin);
      if (stored) return stored;
      if (policy.isOnlyIfCached)
        throw new AppError('not-cached', 'The request asked for a stored response only, and there is none to serve.');
      // What is stored and stale can be validated, whoever got something else meanwhile.
      if (!isPlain || (isApart && !seen.entry && this.goesAlone(request, seen)))
        return this.forwardOrStale(request, policy, seen, origin);
      const loaded = await this.load(request, policy, seen, origin);
      if (loaded) return loaded;
    }
    return this.forward(request, undefined, origin);
  }

  /**
   * Whether an uncoalesced request goes upstream as it is: one with conditions, to which 304 may be the answer, and all that come while
   * another is under way. One at a time is loaded, so that a response which may be stored again is stored.
   */
  private goesAlone(request: HttpCacheRequest, seen: Seen): boolean {
    return hasConditions(request.headers) || this.loads.find(this.loads.named(request, seen).name, seen) !== undefined;
  }

  private fromStore(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    { entry, index, tier, variantKey: key, variantKeys }: Seen,
    origin: Origin,
  ): StoredAnswer | undefined {
    if (!entry || key === undefined) return undefined;
    switch (reuseOf(entry, policy, this.clock.now())) {
      case 'fresh': {
        const { freshUntil } = entry;
        const isPointed = index !== undefined && !selectsByOwnFields(index.lists);
        const pointer = isPointed ? { key: request.key, indexId: index.entry.id, variantKeys, freshUntil } : undefined;
        return { kind: 'stored', entry, outcome: 'HIT', tier, ...(pointer && { pointer }) };
      }
      case 'stale-allowed':
        return { kind: 'stored', entry, outcome: 'HIT_STALE', tier };
      case 'stale-while-revalidate':
        if (!this.loads.find(key, { index }))
          this.loads.refresh({ key, name: key }, request, { entry, index, tier, variantKey: key, variantKeys }, origin);
        return { kind: 'stored', entry, outcome: 'HIT_STALE', tier };
      case 'validate':
        return undefined;
    }
  }

  /** The answer, or what is stored where the upstream fails and that is allowed. */
  private async forwardOrStale(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    seen: Seen,
    origin: Origin,
  ): Promise<HttpAnswer> {
    const spare = seen.entry && mayStandIn(seen.entry, policy, this.clock.now()) ? seen.entry : undefined;
    if (!spare) return this.forward(request, seen, origin);
    try {
      const answer = await this.forward(request, seen, origin, this.options.staleAfterMs);
      return hasFailed(answer) ? standIn(spare, seen, 'upstream-error') : answer;
    } catch (error) {
      return standIn(spare, seen, error instanceof AppError ? error.code : 'internal');
    }
  }

  /** The answer of one load, or undefined: look again. */
  private async load(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    seen: Seen,
    origin: Origin,
  ): Promise<HttpAnswer | undefined> {
    const what = this.loads.named(request, seen);
    const isUncoalesced = this.loads.isApart(request) && !seen.entry;
    const underWay = this.loads.find(what.name, seen);
    const flight = underWay ?? this.loads.start(what, request, seen, origin);
    flight.join(request.signal);
    const spare = seen.entry && mayStandIn(seen.entry, policy, this.clock.now()) ? seen.entry : undefined;
    const forwarded = seen.entry ? 'stale' : seen.index ? 'vary-miss' : 'uri-miss';
    try {
      const deadlineMs = isUncoalesced ? undefined : this.options.deadlineMs;
      const head = await within(flight.head, spare ? this.options.staleAfterMs : deadlineMs);
      if (head.kind === 'again') return undefined;
      if (head.kind === 'not-loaded') return await this.forward(request, seen, origin);
      if (head.kind === 'entry') {
        const { entry, stored } = head;
        if (underWay && !head.isShareable) return await this.forward(request, seen, origin);
        if (!underWay && head.isValidated) {
          const facts = { outcome: 'REVALIDATED', tier: 'upstream', forwarded, forwardedStatus: 304 } as const;
          return { kind: 'stored', entry, stored, ...facts };
        }
        return { kind: 'stored', entry, outcome: 'COALESCED', tier: 'upstream', forwarded, collapsed: true };
      }
      if (spare && hasFailed(head.response)) return standIn(spare, seen, 'upstream-error');
      if (underWay && !maySharedWith(request, head)) return await this.forward(request, seen, origin);
      return await this.deliver(head, forwarded, underWay !== undefined, spare !== undefined);
    } catch (error) {
      if (spare) return standIn(spare, seen, error instanceof AppError ? error.code : 'internal');
      throw error;
    }
  }

  /** @throws AppError where the body breaks off, or trickles while there is a spare; without one it goes out as it comes */
  private async deliver(
    { response, policy, body, stored }: Extract<Head, { kind: 'response' }>,
    forwarded: 'stale' | 'vary-miss' | 'uri-miss',
    collapsed: boolean,
    hasSpare: boolean,
  ): Promise<StreamedAnswer> {
    const { status } = response;
    const headers = collapsed
      ? fieldsForOthers(response.headers, policy, this.options.keepsEveryField)
      : response.headers;
    const facts = { outcome: collapsed ? 'COALESCED' : 'MISS', tier: 'upstream', forwarded, collapsed } as const;
    const { staleAfterMs, deadlineMs } = this.options;
    const reader = body.read();
    const isInTime = await settlesWithin(
      body.until(IN_ONE_PIECE_BYTES),
      hasSpare ? staleAfterMs : Math.min(deadlineMs, IN_ONE_PIECE_MS),
    );
    if (hasSpare && !isInTime) {
      await reader.return?.();
      throw new AppError('deadline-exceeded', `Not all of the answer came within ${staleAfterMs} ms.`);
    }
    if (body.hasFailed) {
      if (body.failedWith instanceof AppError) throw body.failedWith;
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000 });
    }
    // A larger body stays with `body`, which counts what its readers keep: a copy of it would be counted nowhere.
    const whole = body.hasEnded && body.received <= IN_ONE_PIECE_BYTES ? await body.whole() : undefined;
    if (whole === undefined) return { kind: 'streamed', status, headers, body: reader, ...facts };
    await reader.return?.();
    return { kind: 'streamed', status, headers, body: whole, ...facts, stored: await stored };
  }

  /** The upstream's own answer to this request alone, waited for as long as the upstream may take if no deadline is given. */
  private async forward(
    request: HttpCacheRequest,
    seen: Seen | undefined,
    origin: Origin,
    deadlineMs?: number,
  ): Promise<StreamedAnswer> {
    const { method, headers } = request;
    const asking = new AbortController();
    const giveUp = (): void => asking.abort();
    request.signal.addEventListener('abort', giveUp, { once: true });
    if (request.signal.aborted) giveUp();
    const covered = method === 'HEAD' && seen?.entry ? await this.writer.cover(request, seen) : seen;
    const answering = origin({ method, headers, signal: asking.signal, isBackground: false });
    const response = await within(answering, deadlineMs).catch((error: unknown) => {
      giveUp();
      throw error;
    });
    const mayBeStored = method === 'GET' && response.status !== 206 && response.status !== 304;
    if (mayBeStored && policyOf(request, response, this.options.neverStored).isStorable)
      this.loads.noteSharing(request, response.status, declaredLength(response.headers) <= this.options.maxEntryBytes);
    if (seen?.index) await this.heed(request, seen, response, covered !== undefined);
    return {
      kind: 'streamed',
      ...{ status: response.status, headers: response.headers, body: response.body },
      ...(response.isRefusal === true && { isRefusal: true }),
      ...{ outcome: 'BYPASS', tier: 'upstream', forwarded: seen?.entry ? 'stale' : 'request' },
    };
  }

  /** Carries out what a response that went by the store says of what is stored, before anyone has it. */
  private async heed(
    request: HttpCacheRequest,
    seen: Seen,
    response: OriginResponse,
    isCovered: boolean,
  ): Promise<void> {
    const { entry, variantKey: key, index } = seen;
    const { neverStored } = this.options;
    const verdict = entry ? verdictOnEntry(request, response, entry, neverStored) : verdictOf(response);
    if (verdict === 'resource-withdrawn') await this.writer.withdraw(request, seen, false);
    else if (!entry || key === undefined) return;
    else if (verdict === 'variant-replaced') await this.writer.removeVariant(key);
    else if (request.method === 'HEAD' && isCovered) {
      const stored = { entry, key, indexMark: markOf(index?.entry) };
      const policy = policyOfUpdated(request, response, entry, neverStored);
      await this.writer.heedHead(request.tags, stored, response, policy);
    }
  }
}

function standIn(entry: CacheEntry, { tier }: Seen, failure: string): StoredAnswer {
  return { kind: 'stored', entry, outcome: 'STALE_ON_ERROR', tier, forwarded: 'stale', failure };
}
