import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import { hasFailed } from '../law/exchange-policy';
import { mayServeStaleIfDisconnected, mayServeStaleIfError } from '../law/reuse';
import type { CacheEntry } from '../model/cache-entry';
import type { HttpAnswer, HttpCacheRequest, StoredAnswer, StreamedAnswer } from '../model/exchange';
import type { Flight } from './flights';
import type { Forwarding } from './forwarding';
import type { HttpCacheOptions } from './http-cache.options';
import { fieldsForOthers } from './http-entries';
import { failureOf, isDisconnection, mayServeStaleFor } from './load-failure';
import { mayBeShared, type Head } from './load-head';
import type { Lookup, Seen } from './variants';
import { settlesWithin, within } from '../../kernel/within';

/** A body up to this size is sent in one piece; a larger one is streamed. */
const IN_ONE_PIECE_BYTES = 65_536;
/** The maximum wait for it, in milliseconds: a slow body is streamed. */
const IN_ONE_PIECE_MS = 1_000;

/** Why the request of a load went upstream. */
type Reason = 'stale' | 'vary-miss' | 'uri-miss';

/**
 * The answers of the origin for the requests that wait: those of a load, or of an exchange for one request alone; where the origin fails
 * or is slow, the stale response that may be served instead.
 *
 * Its one invariant: a request gets the response of another's load only if that may be shared and the request selects it.
 */
export class LoadAnswers {
  constructor(
    private readonly forwarding: Forwarding,
    private readonly clock: Clock,
    private readonly options: HttpCacheOptions,
  ) {}

  /** The answer of the origin to this request alone. */
  forwarded(lookup: Lookup): Promise<HttpAnswer> {
    const { request, seen, origin } = lookup;
    return this.orStale(lookup, async (stale) => {
      const answer = await this.forwarding.forward(request, seen, origin, stale && this.options.staleAfterMs);
      return stale && hasFailed(answer.kind === 'stored' ? answer.entry : answer)
        ? serveStaleOnError(stale, seen, 'upstream-error')
        : answer;
    });
  }

  /**
   * The answer of a load, or undefined: look again.
   *
   * @param hasJoined whether another request has begun the load
   * @param hasDeadline whether the load continues for others, so that this request need not wait for its end
   */
  ofLoad(flight: Flight, lookup: Lookup, hasJoined: boolean, hasDeadline: boolean): Promise<HttpAnswer | undefined> {
    const { request, seen, origin } = lookup;
    const reason = seen.entry ? 'stale' : seen.index ? 'vary-miss' : 'uri-miss';
    return this.orStale(lookup, async (stale) => {
      const head = await within(flight.head, hasDeadline ? this.patienceMs(request, stale) : undefined);
      if (head.kind === 'abandoned' && !hasJoined) throw head.error;
      if (head.kind === 'again' || head.kind === 'abandoned') return undefined;
      if (head.kind === 'not-loaded') return this.forwarding.forward(request, seen, origin);
      if (stale && hasFailed(head.kind === 'entry' ? head.entry : head.response))
        return serveStaleOnError(stale, seen, 'upstream-error');
      if (head.kind === 'entry') {
        const isOther = head.isSelectedBy?.(request) === false;
        if (!hasJoined || (head.isShareable && !isOther)) return answerOf(head, reason, hasJoined);
        // A variant that the request does not select may be stored next to the one that it does.
        return head.stored && isOther ? undefined : this.forwarding.forward(request, seen, origin);
      }
      if (hasJoined && !mayBeShared(request, head)) return this.forwarding.forward(request, seen, origin);
      return this.deliver(head, reason, hasJoined, stale !== undefined);
    });
  }

  /**
   * For a request that an earlier load may not answer: undefined once that is over, for requests that wait together share the next one. One
   * whose body still flows may take long: the request goes upstream by itself.
   */
  async after(earlier: Flight, lookup: Lookup): Promise<HttpAnswer | undefined> {
    const isFlowing = earlier.head.then(
      async (head) => head.kind === 'response' && !(await settlesWithin(head.stored, IN_ONE_PIECE_MS)),
      () => false,
    );
    return this.orStale(lookup, async (stale) =>
      (await within(isFlowing, this.patienceMs(lookup.request, stale))) ? this.forwarded(lookup) : undefined,
    );
  }

  private patienceMs({ policy }: HttpCacheRequest, stale: CacheEntry | undefined): number {
    const ownMs = policy?.deadlineMs ?? this.options.deadlineMs;
    return stale ? Math.min(this.options.staleAfterMs, ownMs) : ownMs;
  }

  /**
   * @param answer gets the stored response that stale-if-error lets stand in, if there is one
   * @throws the error of `answer`, where no stale response may be served instead
   */
  private async orStale<T>(
    { directives, seen }: Lookup,
    answer: (stale: CacheEntry | undefined) => Promise<T>,
  ): Promise<T | StoredAnswer> {
    const { entry } = seen;
    const { servesStaleDespiteDirectives, servesStaleWhenDisconnected } = this.options;
    const heedsDirectives = servesStaleDespiteDirectives !== true;
    const now = this.clock.now();
    const stale = entry && mayServeStaleIfError(entry, directives, now, heedsDirectives) ? entry : undefined;
    try {
      return await answer(stale);
    } catch (error) {
      if (stale && mayServeStaleFor(error)) return serveStaleOnError(stale, seen, failureOf(error));
      const isDisconnected = servesStaleWhenDisconnected === true && isDisconnection(error);
      if (isDisconnected && entry && mayServeStaleIfDisconnected(entry, directives, this.clock.now()))
        return serveStaleOnError(entry, seen, failureOf(error));
      throw error;
    }
  }

  /** @throws AppError if the body breaks off, or is slow and there is a stale fallback; without one it is streamed */
  private async deliver(
    { response, policy, body, stored }: Extract<Head, { kind: 'response' }>,
    forwarded: Reason,
    collapsed: boolean,
    hasStaleFallback: boolean,
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
      hasStaleFallback ? staleAfterMs : Math.min(deadlineMs, IN_ONE_PIECE_MS),
    );
    if (hasStaleFallback && !isInTime) {
      await reader.return?.();
      throw new AppError('deadline-exceeded', `Not all of the answer came within ${staleAfterMs} ms.`);
    }
    if (body.hasFailed) {
      await reader.return?.();
      if (body.failedWith instanceof AppError) throw body.failedWith;
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000 });
    }
    // A larger body stays in `body`, which accounts for its memory: a copy would not be accounted for.
    const whole = body.hasEnded && body.received <= IN_ONE_PIECE_BYTES ? await body.whole() : undefined;
    if (whole === undefined) return { kind: 'streamed', status, headers, body: reader, ...facts };
    await reader.return?.();
    return { kind: 'streamed', status, headers, body: whole, ...facts, stored: await stored };
  }
}

/** The answer of a load with an entry, for the request that started it or one that joined it. */
function answerOf(
  { entry, source, stored, derivedFromTier }: Extract<Head, { kind: 'entry' }>,
  forwarded: Reason,
  hasJoined: boolean,
): StoredAnswer {
  const answer = { kind: 'stored', entry, stored } as const;
  if (derivedFromTier !== undefined) return { kind: 'stored', entry, outcome: 'HIT', tier: derivedFromTier };
  if (hasJoined || source === 'other-replica')
    return { ...answer, outcome: 'COALESCED', tier: 'upstream', forwarded, collapsed: true };
  if (source === 'load') return { ...answer, outcome: 'MISS', tier: 'upstream', forwarded };
  return { ...answer, outcome: 'REVALIDATED', tier: 'upstream', forwarded, forwardedStatus: 304 };
}

function serveStaleOnError(entry: CacheEntry, { tier }: Seen, failure: string): StoredAnswer {
  return { kind: 'stored', entry, outcome: 'STALE_ON_ERROR', tier, forwarded: 'stale', failure };
}
