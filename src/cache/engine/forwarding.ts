import { policyOf, policyOfUpdated, verdictOf, verdictOnEntry } from '../law/exchange-policy';
import type { HttpAnswer, HttpCacheRequest, Origin, OriginResponse } from '../model/exchange';
import type { HitForMiss } from './hit-for-miss';
import { declaredLength, unexpectedNotModified } from './origin-request';
import type { HttpCacheOptions } from './http-cache.options';
import type { Revalidation } from './revalidation';
import type { VariantWriter } from './variant-writer';
import type { Seen } from './variants';
import { within } from '../../kernel/within';

/**
 * The exchange with the origin for one request alone, with its own method and fields.
 *
 * Its one invariant: the verdict of the response about the stored one is applied before the client gets it. It stores nothing.
 */
export class Forwarding {
  constructor(
    private readonly writer: VariantWriter,
    private readonly revalidation: Revalidation,
    private readonly hitForMiss: HitForMiss,
    private readonly options: HttpCacheOptions,
  ) {}

  /** Without a deadline unless one is given, in milliseconds. @throws AppError where the origin fails */
  async forward(
    request: HttpCacheRequest,
    seen: Seen | undefined,
    origin: Origin,
    deadlineMs?: number,
  ): Promise<HttpAnswer> {
    const { method, headers } = request;
    const asking = new AbortController();
    const giveUp = (): void => asking.abort();
    request.signal?.addEventListener('abort', giveUp, { once: true });
    if (request.signal?.aborted) giveUp();
    const covered = method === 'HEAD' && seen?.entry ? await this.writer.cover(request, seen) : seen;
    const isNothingStored = seen?.index === undefined && seen?.entry === undefined;
    const answering = origin({ method, headers, signal: asking.signal, isBackground: false, isNothingStored });
    const response = await within(answering, deadlineMs).catch((error: unknown) => {
      giveUp();
      throw error;
    });
    const mayBeStored = method === 'GET' && response.status !== 206 && response.status !== 304;
    if (mayBeStored && policyOf(request, response, this.options.neverStored).isStorable)
      this.hitForMiss.note(request, response.status, declaredLength(response.headers) <= this.options.maxEntryBytes);
    if (seen?.variantKey !== undefined) await this.applyToIndex(request, seen, response, covered !== undefined);
    const facts = { outcome: 'BYPASS', tier: 'upstream', forwarded: seen?.entry ? 'stale' : 'request' } as const;
    const { status, body } = response;
    if (Buffer.isBuffer(body)) {
      if (status === 304) throw unexpectedNotModified();
      const policy = policyOf(request, response, this.options.neverStored);
      const arrived = { response, policy, names: undefined };
      const entry = this.writer.entryOf(request, { index: seen?.index }, arrived, body);
      return { kind: 'stored', entry, stored: false, ...facts };
    }
    const refusal = response.isRefusal === true && { isRefusal: true };
    return { kind: 'streamed', status, headers: response.headers, body, ...refusal, ...facts };
  }

  /** Applies a response that bypassed the store to the stored entry, before any client gets it. */
  private async applyToIndex(
    request: HttpCacheRequest,
    seen: Seen,
    response: OriginResponse,
    isCovered: boolean,
  ): Promise<void> {
    const { entry, variantKey: key, index } = seen;
    const { neverStored } = this.options;
    const verdict = entry ? verdictOnEntry(request, response, entry, this.options) : verdictOf(response, this.options);
    if (verdict === 'resource-withdrawn' && index) await this.writer.withdraw(request, seen, false);
    else if (!entry || key === undefined) return;
    else if (verdict !== 'none') await this.writer.removeVariant(key);
    else if (request.method === 'HEAD' && isCovered) {
      const stored = { entry, key, index };
      const policy = policyOfUpdated(request, response, entry, neverStored);
      await this.revalidation.applyHeadResponse(request, stored, response, policy);
    }
  }
}
