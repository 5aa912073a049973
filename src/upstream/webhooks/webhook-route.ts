import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StoreUnavailableError } from '../../cache';
import { AppError } from '../../kernel/app-error';
import { parseJson } from '../../kernel/json';
import { FailedAttempts } from '../../server/failed-attempts';
import { declareRawRoutes } from '../raw-routes';
import type { UpstreamContext } from '../upstream-context';
import { SignedBodies } from './signed-bodies';
import type { DeliveryResult } from './webhook-counts';
import { webhookPath, type WebhookDefinition, type WebhookEffect } from './webhook-definition';
import type { DeliveryField } from './webhook-verifiers';

const MAX_BODY_BYTES = 26_214_400;
const MAX_BODY_BYTES_TOGETHER = 67_108_864;
const BODY_WITHIN_MS = 10_000;
const DAY_MS = 86_400_000;
const MAX_TAGS_LOGGED = 20;
const DELIVERY = /^[\w.:-]{1,128}$/;
const EVENT = /^[A-Za-z][\w.: /-]{0,63}$/;

/** The outcome of a delivery. */
interface Received {
  readonly event: string;
  readonly status: 'done' | 'duplicate' | 'unknown-event';
  /** How many entries were removed or marked stale. */
  readonly invalidated: number;
}

/**
 * The webhooks of an upstream: an event removes what it has changed, on all replicas, before it is answered.
 *
 * The invariant: a delivery has no effect unless one of our secrets verifies it. The route is Fastify's own, because a
 * signature is over the bytes as they came.
 *
 * A delivery is marked for a day once its invalidations are confirmed, never before: a mark says "done", so that no failure
 * between the two can turn a redelivery into a duplicate. Two identical ones at once are both carried out, which is harmless.
 */
export class WebhookRoute {
  private readonly logger = new Logger('Webhook');
  private readonly bodies: SignedBodies;
  private readonly attempts: FailedAttempts;

  constructor(
    private readonly upstream: UpstreamContext,
    private readonly webhook: WebhookDefinition,
  ) {
    const { parts, title, api, settings } = upstream;
    this.attempts = new FailedAttempts(parts.clock, parts.store, {
      group: `webhook-attempts:${api.name}`,
      what: `wrong signatures of ${title}'s webhooks`,
    });
    const maxBytes = webhook.maxBytes ?? MAX_BODY_BYTES;
    this.bodies = new SignedBodies(
      webhook.verifier,
      settings.webhookSecrets,
      {
        maxBytes,
        maxBytesTogether: Math.max(MAX_BODY_BYTES_TOGETHER, 2 * maxBytes),
        withinMs: webhook.withinMs ?? BODY_WITHIN_MS,
      },
      () => parts.clock.now(),
    );
  }

  mount(adapter: HttpAdapterHost['httpAdapter']): void {
    declareRawRoutes(adapter, (scope) =>
      scope.post(webhookPath(this.upstream.api.name), async (request, reply) => this.answer(request, reply)),
    );
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<Received> {
    const field = fieldOf(request.headers);
    const body = await this.bodyOf(request, reply, field);
    const { event: inField } = this.webhook;
    let event = typeof inField === 'string' ? (field(inField.toLowerCase()) ?? '') : '';
    try {
      const delivery = this.deliveryOf(field, event);
      const payload = parse(body, field('content-type') ?? '');
      if (typeof inField === 'function') event = inField(payload) ?? '';
      if (!EVENT.test(event)) throw new AppError('request-invalid', 'The delivery names no event.');
      const received = await this.receive(event, payload, markOf(this.upstream.api.name, event, delivery, body));
      this.count(event, received.status);
      void reply.code(202);
      return received;
    } catch (error) {
      this.count(event, error instanceof AppError && error.code === 'request-invalid' ? 'malformed' : 'failed');
      throw error;
    }
  }

  /** The body, if it is proved. */
  private async bodyOf(request: FastifyRequest, reply: FastifyReply, field: DeliveryField): Promise<Buffer> {
    const { raw, headers } = request;
    try {
      return await this.bodies.receive(raw, Number(headers['content-length'] ?? 0), field);
    } catch (error) {
      const code = error instanceof AppError ? error.code : undefined;
      this.count('', code === 'webhook-unsigned' ? 'unsigned' : 'refused');
      closeLate(raw, reply.raw, code === 'request-timeout');
      if (code === 'webhook-unsigned') await this.registerFailure(request.ip, field);
      throw error;
    }
  }

  /**
   * After the signature was checked: a rightly signed delivery is never refused because of a stranger behind the same address.
   *
   * @throws AppError `too-many-attempts` for an address with too many wrong ones
   */
  private async registerFailure(address: string, field: DeliveryField): Promise<void> {
    const isSigned = this.webhook.verifier.headers.some((name) => field(name.toLowerCase()) !== undefined);
    const waitMs = await this.attempts.register(address, isSigned);
    if (waitMs <= 0) return;
    const message =
      `Too many wrongly signed deliveries from this address; further ones are answered again in ${Math.ceil(waitMs / 1_000)} s. ` +
      'A rightly signed one is taken at any time.';
    throw new AppError('too-many-attempts', message, { retryAfterMs: waitMs });
  }

  /** @throws AppError `request-invalid` where a field is missing that the API always sends */
  private deliveryOf(field: DeliveryField, event: string): string {
    const { upstream, webhook } = this;
    const delivery = webhook.delivery === undefined ? '-' : (field(webhook.delivery.toLowerCase()) ?? '');
    const isNamed = typeof webhook.event === 'function' || EVENT.test(event);
    if (isNamed && DELIVERY.test(delivery)) return delivery;
    const needed = [webhook.event, webhook.delivery].filter((name) => typeof name === 'string').join(' and ');
    throw new AppError('request-invalid', `The delivery needs ${needed}, as ${upstream.title} sends them.`);
  }

  /** A proved delivery. */
  private async receive(event: string, payload: unknown, mark: string): Promise<Received> {
    const known = this.webhook.effect(event, payload);
    const { tags = [], mode = 'purge' } = known ?? {};
    const effect = { tags: tags.map(this.upstream.tagOf), mode };
    if (await this.isMarked(mark, effect)) return { event, status: 'duplicate', invalidated: 0 };
    const invalidated = await this.invalidate(effect);
    if (!(await this.isFirstToMark(mark))) return { event, status: 'duplicate', invalidated };
    const done = mode === 'purge' ? 'removed' : 'marked stale';
    this.logger.log(`${event}: ${invalidated} entries ${done} (${listed(effect.tags)}).`);
    return { event, status: this.isKnown(event, known) ? 'done' : 'unknown-event', invalidated };
  }

  private isKnown(event: string, effect: WebhookEffect | undefined): boolean {
    return effect !== undefined && this.webhook.events?.includes(event) !== false;
  }

  private count(event: string, result: DeliveryResult): void {
    const label = this.webhook.events?.includes(event) === true ? event : 'other';
    this.upstream.deliveries.add(label, result);
  }

  /** One invalidation for all changes of the event. If Redis does not confirm it, it is repeated once Redis is back. */
  private async invalidate({ tags, mode }: Required<WebhookEffect>): Promise<number> {
    await this.upstream.settle(tags);
    const targets = tags.map((tag) => ({ kind: 'tag' as const, tag }));
    return this.upstream.parts.cache.invalidate(targets, mode, 'webhook');
  }

  private async isMarked(mark: string, effect: Required<WebhookEffect>): Promise<boolean> {
    try {
      return await this.upstream.parts.store.shared.isClaimed(mark);
    } catch (error) {
      // The API may not deliver it again by itself: the changed entries are removed from memory now, and from Redis when it is back.
      await this.invalidate(effect).catch(() => undefined);
      const message = 'Redis cannot be reached, and so nothing is promised of the delivery. Redeliver it.';
      throw new AppError('cache-unavailable', message, { retryAfterMs: 1_000, cause: error });
    }
  }

  /** False: the same delivery came twice at once, and the other one was marked before. */
  private async isFirstToMark(mark: string): Promise<boolean> {
    try {
      return await this.upstream.parts.store.shared.claim(mark, DAY_MS);
    } catch (error) {
      // It is done all the same. Should it come again, it is done again, which changes nothing.
      if (error instanceof StoreUnavailableError) return true;
      throw error;
    }
  }
}

/**
 * A sender that is cut off while it sends would lose the answer with the connection (RFC 9112 §9.6): the connection is closed when the
 * rest has been read; at once only for a sender that is too slow to be waited for.
 */
function closeLate(request: FastifyRequest['raw'], response: FastifyReply['raw'], isSlow: boolean): void {
  const isLast = !response.shouldKeepAlive;
  if (request.complete || !(isLast || isSlow)) return;
  const close = (): void => request.socket.destroySoon();
  response.shouldKeepAlive = true;
  response.once('finish', () => {
    if (request.complete || isSlow) close();
    else request.once('end', close);
  });
}

/** A delivery's payload, as JSON or as a form's `payload`. */
function parse(body: Buffer, contentType: string): unknown {
  const isForm = contentType.toLowerCase().startsWith('application/x-www-form-urlencoded');
  const text = isForm ? (new URLSearchParams(body.toString('utf8')).get('payload') ?? '') : body.toString('utf8');
  try {
    return parseJson(text);
  } catch (error) {
    throw new AppError('request-invalid', 'The delivery is signed, but its body is no JSON.', { cause: error });
  }
}

/**
 * A delivery's mark. Most APIs sign the body alone: with the same id, or as another event, an attacker could send an old body first and have
 * the real delivery taken for a duplicate. So the mark is of all three, and only the same delivery is a duplicate of itself.
 */
function markOf(upstream: string, event: string, delivery: string, body: Buffer): string {
  const hash = createHash('sha256').update(`${upstream}\n${event}\n${delivery}\n`).update(body).digest('base64url');
  return `delivery:${hash}`;
}

/** The tags as a log line has them. */
function listed(tags: readonly string[]): string {
  const more = tags.length - MAX_TAGS_LOGGED;
  return `${tags.slice(0, MAX_TAGS_LOGGED).join(', ') || 'nothing to remove'}${more > 0 ? `, and ${more} more` : ''}`;
}

function fieldOf(headers: FastifyRequest['headers']): DeliveryField {
  return (name) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
}
