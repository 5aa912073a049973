import { LRUCache } from 'lru-cache';
import { AppError } from '../../../kernel/app-error';
import type { Clock } from '../../../kernel/clock';
import type { CacheEntry, HeaderList } from '../cache-entry';
import type { CacheStore, Lease } from '../cache-store';
import type { Loader } from '../loader';
import { matchesIfNoneMatch } from '../representation';
import { IndexMemory } from '../index-memory';
import { settlesWithin, within } from '../within';
import { CONDITIONS } from './conditions';
import type { HttpAnswer, HttpCacheRequest, Origin, OriginResponse, StoredAnswer, StreamedAnswer } from './exchange';
import { valueOf } from './fields';
import { Flight } from './flight';
import { underOperator } from './operator-policy';
import { PLAIN, requestPolicy, type RequestPolicy } from './request-policy';
import { responsePolicy, type ResponsePolicy } from './response-policy';
import { mayServeOnError } from '../freshness';
import { mayStandIn, reuseOf } from './reuse';
import { selectionKey } from './selection';
import { HeldBytes, SharedBody } from './shared-body';
import { updatedHeaders } from './update';
import { VariantWriter, type VariantWriterOptions } from './variant-writer';
import { findVariant, type Seen } from './variants';

export interface HttpCacheOptions extends VariantWriterOptions {
  /** How long a request may wait for the head of a response, in milliseconds. */
  readonly deadlineMs: number;
  /** The same where a stale entry could answer. */
  readonly staleAfterMs: number;
  /** Larger bodies are streamed and not stored, in bytes. */
  readonly maxEntryBytes: number;
  /** Statuses that are never stored, whatever the response says. */
  readonly neverStored?: ReadonlySet<number>;
}

/** A head that has come, for all who wait for it. */
type Head =
  | {
      readonly kind: 'response';
      readonly response: OriginResponse;
      readonly policy: ResponsePolicy;
      readonly body: SharedBody;
      /** The fields that the response varies by, and what the request that loaded it has selected by them. */
      readonly names: readonly string[] | undefined;
      readonly selection: string;
      /** Settles when it is stored, or is not. */
      readonly stored: Promise<boolean>;
    }
  | { readonly kind: 'entry'; readonly entry: CacheEntry; readonly isValidated: boolean; readonly stored: boolean }
  /** Another replica stored an index: look again. */
  | { readonly kind: 'again' };

/** Up to here a body is waited for, so that it goes out in one piece; beyond it is streamed. */
const IN_ONE_PIECE_BYTES = 65_536;
const LOOKS = 3;
/** How long loads of a URL whose answer was not to be shared do not wait for each other ("hit-for-miss"). */
const APART_MS = 60_000;
const MOST_APART = 10_000;
/** What bodies under way may hold in all, and never less than two of the largest that are stored. */
const HELD_BYTES = 134_217_728;
/** RFC 5861 §4 */
const FAILED_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/**
 * An HTTP cache (RFC 9111): GET and HEAD answered from the store where the law lets it, else from the origin, one load for
 * those who would get the same.
 *
 * Its one invariant: a response is given to another request than its own only if it may be stored for it and that request
 * selects it. The law is in the questions beside this file; the races are the store's.
 */
export class HttpCache {
  private readonly flights = new Map<string, Flight<Head>>();
  private readonly apart = new LRUCache<string, true>({ max: MOST_APART, ttl: APART_MS });
  private readonly held: HeldBytes;
  private readonly writer: VariantWriter;
  private readonly seenLast = new IndexMemory();

  constructor(
    private readonly store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly options: HttpCacheOptions,
  ) {
    this.writer = new VariantWriter(store, clock, options);
    this.held = new HeldBytes(Math.max(HELD_BYTES, 2 * options.maxEntryBytes));
    store.onChange((change) => {
      if (change.kind !== 'key') this.flights.clear();
      else for (const [key, { url }] of this.flights) if (url === change.key) this.flights.delete(key);
    });
  }

  /** @throws AppError where there is neither an entry that may be served nor a response */
  async exchange(request: HttpCacheRequest, origin: Origin): Promise<HttpAnswer> {
    const policy = requestPolicy(request.headers);
    const isPlain = request.method === 'GET' && valueOf(request.headers, 'range') === undefined && !policy.isNoStore;
    const isApart = this.apart.has(this.apartKey(request));
    for (let look = 0; look < LOOKS; look++) {
      const mayLoad = isPlain && !policy.isOnlyIfCached && !isApart;
      const leaseMs = mayLoad ? this.loader.leaseMs : undefined;
      const seen = await findVariant(
        { store: this.store, seenLast: this.seenLast },
        request,
        this.clock.now(),
        leaseMs,
      );
      const stored = this.fromStore(request, policy, seen, origin);
      if (stored) return stored;
      if (policy.isOnlyIfCached)
        throw new AppError('not-cached', 'The request asked for a stored response only, and there is none to serve.');
      // What is stored and stale can be validated, whoever got something else meanwhile.
      if (!isPlain || (isApart && !seen.entry)) return this.forwardOrStale(request, policy, seen, origin);
      const loaded = await this.load(request, policy, seen, origin);
      if (loaded) return loaded;
    }
    return this.forward(request, undefined, origin, this.options.deadlineMs);
  }

  private fromStore(
    request: HttpCacheRequest,
    policy: RequestPolicy,
    { entry, index, tier, variantKey: key }: Seen,
    origin: Origin,
  ): StoredAnswer | undefined {
    if (!entry || key === undefined) return undefined;
    switch (reuseOf(entry, policy, this.clock.now())) {
      case 'fresh': {
        const isPlain = index?.lists.length === 1 && policy === PLAIN;
        const { freshUntil } = entry;
        const way = isPlain ? { key: request.key, indexId: index.entry.id, variantKey: key, freshUntil } : undefined;
        return { kind: 'stored', entry, outcome: 'HIT', tier, ...(way && { way }) };
      }
      case 'stale-allowed':
        return { kind: 'stored', entry, outcome: 'HIT_STALE', tier };
      case 'stale-while-revalidate':
        if (!this.flights.has(key)) this.start(key, request, { entry, index, tier, variantKey: key }, origin).keep();
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
    if (!spare) return this.forward(request, seen, origin, this.options.deadlineMs);
    try {
      const answer = await this.forward(request, seen, origin, this.options.staleAfterMs);
      return this.hasFailed(answer) ? standIn(spare, seen, 'upstream-error') : answer;
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
    const key = seen.variantKey ?? request.key;
    const underWay = this.flights.get(key);
    const flight = underWay ?? this.start(key, request, seen, origin);
    flight.join(request.signal);
    const spare = seen.entry && mayStandIn(seen.entry, policy, this.clock.now()) ? seen.entry : undefined;
    const forwarded = seen.entry ? 'stale' : seen.index ? 'vary-miss' : 'uri-miss';
    try {
      const head = await within(flight.head, spare ? this.options.staleAfterMs : this.options.deadlineMs);
      if (head.kind === 'again') return undefined;
      if (head.kind === 'entry') {
        const { entry, stored } = head;
        if (!underWay && head.isValidated) {
          const facts = { outcome: 'REVALIDATED', tier: 'upstream', forwarded, forwardedStatus: 304 } as const;
          return { kind: 'stored', entry, stored, ...facts };
        }
        return { kind: 'stored', entry, outcome: 'COALESCED', tier: 'upstream', forwarded, collapsed: true };
      }
      if (spare && this.hasFailed(head.response)) return standIn(spare, seen, 'upstream-error');
      if (underWay && !maySharedWith(request, head))
        return await this.forward(request, seen, origin, this.options.deadlineMs);
      return await this.deliver(head, forwarded, underWay !== undefined, spare !== undefined);
    } catch (error) {
      if (spare) return standIn(spare, seen, error instanceof AppError ? error.code : 'internal');
      throw error;
    }
  }

  /** @throws AppError where the body breaks off, or trickles while there is a spare; without one it goes out as it comes */
  private async deliver(
    { response, body, stored }: Extract<Head, { kind: 'response' }>,
    forwarded: 'stale' | 'vary-miss' | 'uri-miss',
    collapsed: boolean,
    hasSpare: boolean,
  ): Promise<StreamedAnswer> {
    const { status, headers } = response;
    const facts = { outcome: collapsed ? 'COALESCED' : 'MISS', tier: 'upstream', forwarded, collapsed } as const;
    const { staleAfterMs, deadlineMs } = this.options;
    const reader = body.read();
    const isInTime = await settlesWithin(body.until(IN_ONE_PIECE_BYTES), hasSpare ? staleAfterMs : deadlineMs);
    if (hasSpare && !isInTime) {
      await reader.return?.();
      throw new AppError('deadline-exceeded', `Not all of the answer came within ${staleAfterMs} ms.`);
    }
    if (body.hasFailed)
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000 });
    const whole = body.hasEnded ? await body.whole() : undefined;
    if (whole === undefined) return { kind: 'streamed', status, headers, body: reader, ...facts };
    await reader.return?.();
    return { kind: 'streamed', status, headers, body: whole, ...facts, stored: await stored };
  }

  private start(key: string, request: HttpCacheRequest, seen: Seen, origin: Origin): Flight<Head> {
    const flight = new Flight<Head>(request.key);
    const end = (): void => {
      if (this.flights.get(key) === flight) this.flights.delete(key);
    };
    this.flights.set(key, flight);
    flight.signal.addEventListener('abort', end, { once: true }); // who comes now joins no load that is given up
    const { tags } = request;
    this.loader
      .underLease({ key, tags }, seen.entry, async (lease, base) => {
        try {
          await this.loadUnder(lease, base, request, seen, flight, origin);
        } catch (error) {
          if (!flight.signal.aborted) throw error;
          // Given up, for nobody waits any more: that says nothing of the upstream.
          await this.writer.giveBack(lease);
          flight.fail(error);
        }
      })
      .then((held) => {
        if (held.by === 'self') return;
        if (seen.index) flight.arrive({ kind: 'entry', entry: held.entry, isValidated: false, stored: true });
        else flight.arrive({ kind: 'again' });
      })
      .catch((error: unknown) => flight.fail(error))
      .finally(end);
    return flight;
  }

  private async loadUnder(
    lease: Lease,
    base: CacheEntry | undefined,
    request: HttpCacheRequest,
    seen: Seen,
    flight: Flight<Head>,
    origin: Origin,
  ): Promise<void> {
    const response = await this.askFor(request, base, flight, origin);
    const isValidated = response.status === 304 && base !== undefined;
    const policy = isValidated ? this.policyOfUpdated(request, response, base) : this.policyOf(request, response);
    if (isValidated) {
      response.body.destroy();
      const freshened = await this.writer.freshen(lease, base, response, policy);
      flight.arrive({ kind: 'entry', ...freshened, isValidated: true });
      return;
    }
    const body = new SharedBody(response.body, {
      maxBytes: this.options.maxEntryBytes,
      declaredBytes: declaredLength(response.headers),
      held: this.held,
    });
    flight.signal.addEventListener('abort', () => body.abandon(), { once: true });
    const names = this.writer.selectingNames(response.headers);
    const selection = names === undefined ? '' : selectionKey(names, request.headers);
    if (!policy.isStorable && response.status < 400) this.apart.set(this.apartKey(request), true);
    // A failure does not take the place of what may stand in for it.
    const isWorse = this.hasFailed(response) && base !== undefined && mayServeOnError(base, this.clock.now());
    const stored =
      policy.isStorable && !isWorse
        ? this.writer.keep(lease, request, seen, { response, policy, body, names })
        : this.writer.giveBack(lease);
    stored.catch(() => undefined); // told by the body's readers and by the lease
    flight.arrive({ kind: 'response', response, policy, body, names, selection, stored });
    await stored;
  }

  /**
   * The whole response, or 304 for the base. A 304 with another tag than the base's is of something that is not stored: it
   * validates nothing (RFC 9111 §4.3.4), and the whole is asked for.
   */
  private async askFor(
    { headers }: HttpCacheRequest,
    base: CacheEntry | undefined,
    flight: Flight<Head>,
    origin: Origin,
  ): Promise<OriginResponse> {
    const plain = {
      method: 'GET',
      headers: withoutConditions(headers),
      signal: flight.signal,
      isBackground: flight.isKept,
    };
    const conditions = conditionsOf(base);
    if (conditions.length === 0) return origin(plain);
    const response = await origin({ ...plain, headers: [...plain.headers, ...conditions] });
    const [told, known] = [valueOf(response.headers, 'etag'), base?.validators.etag];
    const isOther = told !== undefined && known !== undefined && told !== known && !matchesIfNoneMatch(told, known);
    if (response.status !== 304 || !isOther) return response;
    response.body.destroy();
    return origin(plain);
  }

  /** The upstream's own answer to this request alone. */
  private async forward(
    request: HttpCacheRequest,
    seen: Seen | undefined,
    origin: Origin,
    deadlineMs: number,
  ): Promise<StreamedAnswer> {
    const { method, headers } = request;
    const asking = new AbortController();
    const giveUp = (): void => asking.abort();
    request.signal.addEventListener('abort', giveUp, { once: true });
    if (request.signal.aborted) giveUp();
    const answering = origin({ method, headers, signal: asking.signal, isBackground: false });
    const response = await within(answering, deadlineMs).catch((error: unknown) => {
      giveUp();
      throw error;
    });
    if (method === 'HEAD' && seen?.entry && seen.variantKey !== undefined)
      await this.writer.heedHead(
        request.tags,
        { entry: seen.entry, key: seen.variantKey },
        response,
        this.policyOfUpdated(request, response, seen.entry),
      );
    return {
      kind: 'streamed',
      ...{ status: response.status, headers: response.headers, body: response.body },
      ...(response.isRefusal === true && { isRefusal: true }),
      ...{ outcome: 'BYPASS', tier: 'upstream', forwarded: seen?.entry ? 'stale' : 'request' },
    };
  }

  /** Requests of a URL that select alike by what every response is selected by. */
  private apartKey({ key, headers }: HttpCacheRequest): string {
    return `${key}|${selectionKey(this.options.selecting, headers)}`;
  }

  /** As of the stored response, with what a 304 or a HEAD says over it (RFC 9111 §3.2): what they leave out still holds. */
  private policyOfUpdated(request: HttpCacheRequest, response: OriginResponse, base: CacheEntry): ResponsePolicy {
    const stored = base.headers.filter(([name]) => name !== 'date');
    return this.policyOf(request, {
      ...response,
      status: base.status,
      headers: updatedHeaders(stored, response.headers),
    });
  }

  /** What the response allows and the operator says. */
  private policyOf({ hasAuthorization, kind, operator }: HttpCacheRequest, response: OriginResponse): ResponsePolicy {
    const own = responsePolicy(response, kind, { hasAuthorization, isNoStore: false });
    const policy = underOperator(own, response.status, operator);
    const isStorable = policy.isStorable && !this.options.neverStored?.has(response.status);
    return { ...policy, isStorable: isStorable && response.isRefusal !== true };
  }

  /** Whether a stale response may stand in for this one, if it may for any. */
  private hasFailed({ status, isRefusal }: Pick<OriginResponse, 'status' | 'isRefusal'>): boolean {
    return FAILED_STATUSES.has(status) || isRefusal === true;
  }
}

function declaredLength(headers: HeaderList): number | undefined {
  const text = valueOf(headers, 'content-length');
  return text === undefined ? undefined : Number(text);
}

function standIn(entry: CacheEntry, { tier }: Seen, failure: string): StoredAnswer {
  return { kind: 'stored', entry, outcome: 'STALE_ON_ERROR', tier, forwarded: 'stale', failure };
}

/** Whether the response of another request's load may answer this one. */
function maySharedWith(request: HttpCacheRequest, head: Extract<Head, { kind: 'response' }>): boolean {
  if (!head.policy.isStorable || !head.body.isJoinable || head.names === undefined) return false;
  return selectionKey(head.names, request.headers) === head.selection;
}

/** A load asks for the whole response, whatever its client has already. */
function withoutConditions(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => name !== 'range' && !CONDITIONS.some((condition) => condition === name));
}

function conditionsOf(base: CacheEntry | undefined): HeaderList {
  const { etag, lastModified } = base?.validators ?? {};
  return [
    ...(etag === undefined ? [] : [['if-none-match', etag] as const]),
    ...(lastModified === undefined ? [] : [['if-modified-since', lastModified] as const]),
  ];
}
