import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import { isWholeCoding } from '../law/coded-body';
import { hasFailed, policyOf, policyOfUpdated, verdictOf } from '../law/exchange-policy';
import { valueOf } from '../law/fields';
import { mayServeOnError } from '../law/freshness';
import type { ResponsePolicy } from '../law/response-policy';
import type { CacheEntry } from '../model/cache-entry';
import type { HttpCacheRequest, OriginResponse } from '../model/exchange';
import type { Lease } from '../store/cache-store';
import type { Flight } from './flights';
import type { HitForMiss } from './hit-for-miss';
import type { HttpCacheOptions } from './http-cache.options';
import { selectorOf } from './load-head';
import { conditionsOf, declaredLength, discardBody, requestOrigin, unexpectedNotModified } from './origin-request';
import { whileSettling } from './settling-tags';
import type { Revalidation } from './revalidation';
import { HeldBytes, SharedBody } from './shared-body';
import type { Arrived, VariantWriter } from './variant-writer';
import type { Lookup, Seen } from './variants';

/** A load for one request, before it has a lease. */
export interface Load extends Lookup {
  readonly flight: Flight;
}

/** A load under its lease; `base` is the stored response that the origin may validate. */
interface UnderLease extends Load {
  readonly lease: Lease;
  readonly base: CacheEntry | undefined;
}

/** The memory of all bodies under way, at least two of the largest storable ones. */
const HELD_BYTES = 134_217_728;

/**
 * Asks the origin under a lease, gives the head to the waiting requests and stores what may be stored.
 *
 * Its one invariant: the lease ends with the load, by storing or by releasing. It leaves the leases' life to the `Loader`, the form of the
 * entry to the `VariantWriter`.
 */
export class LeasedLoad {
  private readonly held: HeldBytes;

  constructor(
    private readonly writer: VariantWriter,
    private readonly revalidation: Revalidation,
    private readonly clock: Clock,
    readonly hitForMiss: HitForMiss,
    private readonly options: HttpCacheOptions,
  ) {
    this.held = new HeldBytes(Math.max(HELD_BYTES, 2 * options.maxEntryBytes));
  }

  /**
   * @param settling whether a tag of the request was invalidated a short time ago, if that is to be known
   * @throws AppError where the origin fails, or the body breaks off
   */
  async run(load: UnderLease, settling: Promise<boolean> | undefined): Promise<void> {
    const { base, request, seen, flight, origin } = load;
    const covered = await this.writer.cover(request, seen);
    const response = await requestOrigin(request, base, seen, flight, origin);
    // A 304 confirms only a response whose validators were sent.
    const validated = response.status === 304 && conditionsOf(base).length > 0 ? base : undefined;
    const { neverStored } = this.options;
    const ownPolicy = validated
      ? policyOfUpdated(request, response, validated, neverStored)
      : policyOf(request, response, neverStored);
    const policy = settling !== undefined && (await settling) ? whileSettling(ownPolicy) : ownPolicy;
    if (validated) return this.validate(load, validated, covered, response, policy);
    if (response.status === 304) throw unexpectedNotModified();
    const place = await this.placeOf(load, covered, response, policy);
    const names = this.writer.selectingNames(response.headers, request.projection);
    const arrived: Arrived = { response, policy, names };
    if (Buffer.isBuffer(response.body)) return this.storeWhole(load, place, arrived, response.body);
    return this.storeStreamed(load, place, arrived, response);
  }

  /** After a 304: its fields decide whether it is stored, and which requests select it (RFC 9111 §3.2, §4.3.4). */
  private async validate(
    { lease, request, flight }: UnderLease,
    entry: CacheEntry,
    covered: Seen | undefined,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<void> {
    discardBody(response);
    const isShareable = policy.isStorable && this.revalidation.selectsAsBefore(entry, response);
    if (!isShareable) {
      // It may not be stored any more, or other fields select it: the answer is for this request alone.
      this.hitForMiss.note(request, response.status, false);
      await this.writer.removeVariant(lease.key);
    }
    const validated = { entry, index: covered?.index };
    const updated =
      isShareable && covered
        ? await this.revalidation.freshen(lease, request, validated, response, policy)
        : await this.revalidation.leave(lease, validated, response, policy);
    flight.arrive({ kind: 'entry', ...updated, source: 'validation', isShareable });
  }

  /** Where the response is stored; undefined if it is not. */
  private async placeOf(
    { lease, base, request, seen }: UnderLease,
    covered: Seen | undefined,
    response: OriginResponse,
    policy: ResponsePolicy,
  ): Promise<Seen | undefined> {
    const isStorable = policy.isStorable && covered !== undefined;
    const there = { ...(covered ?? seen), entry: base && seen.entry };
    const place = await this.applyVerdict(lease, request, there, response, isStorable);
    // A failure does not replace a response that stale-if-error may serve.
    const isWorse = hasFailed(response) && base !== undefined && mayServeOnError(base, this.clock.now());
    return isStorable && !isWorse ? place : undefined;
  }

  private async storeWhole(
    { lease, request, seen, flight }: UnderLease,
    place: Seen | undefined,
    arrived: Arrived,
    body: Buffer,
  ): Promise<void> {
    const { response, policy, names } = arrived;
    const whole = this.writer.entryOf(request, seen, arrived, body);
    const fits = body.length <= this.options.maxEntryBytes;
    const isReusable = policy.isStorable && policy.revalidation !== 'always';
    this.hitForMiss.note(request, response.status, isReusable && fits);
    const entry = place && fits ? await this.writer.compressed(whole) : whole;
    const stored =
      place && fits
        ? await this.writer.storeVariant(lease, request, place, arrived, entry)
        : await this.writer.giveBack(lease);
    const isShareable = names !== undefined && (isReusable || response.isForWaiting === true);
    const derivedFromTier = response.derivedFrom?.tier;
    const isSelectedBy = selectorOf(names, request);
    flight.arrive({ kind: 'entry', entry, source: 'load', derivedFromTier, stored, isShareable, isSelectedBy });
  }

  private async storeStreamed(
    { lease, request, flight }: UnderLease,
    place: Seen | undefined,
    arrived: Arrived,
    response: OriginResponse,
  ): Promise<void> {
    const { policy, names } = arrived;
    const body = new SharedBody(response.body as Exclude<OriginResponse['body'], Buffer>, {
      maxBytes: this.options.maxEntryBytes,
      declaredBytes: declaredLength(response.headers),
      held: this.held,
    });
    flight.signal.addEventListener('abort', () => body.abandon(), { once: true });
    const isReusable = policy.isStorable && policy.revalidation !== 'always';
    this.hitForMiss.note(request, response.status, isReusable && !body.isTooLarge);
    const stored = place ? this.storeBody(lease, request, place, arrived, body) : this.writer.giveBack(lease);
    stored.catch(() => undefined); // the body's readers and the lease handle the error
    flight.arrive({ kind: 'response', response, policy, body, isSelectedBy: selectorOf(names, request), stored });
    await stored;
    if (body.isTooLarge) this.hitForMiss.note(request, response.status, false);
  }

  /** @throws AppError where the body breaks off */
  private async storeBody(
    lease: Lease,
    request: HttpCacheRequest,
    seen: Seen,
    arrived: Arrived,
    body: SharedBody,
  ): Promise<boolean> {
    const bytes = await body.whole().catch((cause: unknown) => {
      throw new AppError('upstream-invalid', 'The answer of the upstream broke off.', { retryAfterMs: 1_000, cause });
    });
    if (bytes === undefined) return this.writer.removeReplaced(lease, seen);
    // Truncated within complete framing: it is passed on unchanged, and replaces nothing.
    const { headers } = arrived.response;
    const isCoded = valueOf(headers, 'content-encoding') !== undefined;
    if (isCoded && !(await isWholeCoding(bytes, headers))) return this.writer.giveBack(lease);
    const entry = await this.writer.compressed(this.writer.entryOf(request, seen, arrived, bytes));
    return this.writer.storeVariant(lease, request, seen, arrived, entry);
  }

  /**
   * Applies a response to the earlier stored ones before any client gets it: removes a withdrawn response, and one that is replaced by a
   * response that may not be stored, so that no request gets it stale from then on.
   *
   * @returns the index under which the response is stored; undefined where it may not be stored
   */
  private async applyVerdict(
    lease: Lease,
    request: HttpCacheRequest,
    seen: Seen,
    response: OriginResponse,
    isStorable: boolean,
  ): Promise<Seen | undefined> {
    switch (verdictOf(response, this.options)) {
      case 'none':
        return seen;
      case 'resource-withdrawn': {
        const index = seen.index && (await this.writer.withdraw(request, seen, isStorable));
        if (seen.index) return index && { ...seen, index };
        if (seen.entry && !isStorable) await this.writer.removeVariant(lease.key);
        return seen;
      }
      case 'variant-replaced':
        if (seen.entry && !isStorable) await this.writer.removeVariant(lease.key);
        return seen;
    }
  }
}
