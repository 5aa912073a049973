import { createHash } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CacheStore, ResponseCache, SettlingTags, StoreUnavailableError } from '../cache';
import { githubConfig } from '../config/slices';
import { ProblemFilter } from '../http/problem.filter';
import { AppError } from '../kernel/app-error';
import { SignedBodies, WebhookCounts, type DeliveryResult } from '../upstream';
import { effectOf, isKnownEvent, type EventEffect } from './webhook-events';

const PATH = '/webhooks/github';
/** GitHub sends no more (https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap). */
const MAX_BODY_BYTES = 26_214_400;
const MAX_BODY_BYTES_TOGETHER = 67_108_864;
/** As long as GitHub waits for the answer. */
const BODY_WITHIN_MS = 10_000;
const DAY_MS = 86_400_000;
/** An installation may name thousands of repositories: Redis serves others meanwhile. */
const TAGS_AT_ONCE = 100;
const MAX_TAGS_LOGGED = 20;
const DELIVERY = /^[\w-]{1,64}$/;
const EVENT = /^[a-z][a-z0-9_]{0,63}$/;

type Changed = Pick<EventEffect, 'tags' | 'mode'>;

/** What became of a delivery. */
interface Received {
  readonly event: string;
  readonly status: 'done' | 'duplicate' | 'unknown-event';
  /** How many entries went. */
  readonly invalidated: number;
}

/**
 * GitHub's webhooks: an event removes what it has changed, on all replicas, before it is answered.
 *
 * Its one invariant: nothing happens on a delivery that is not signed with a secret of ours. A route of its own on Fastify, for the
 * signature is over the bytes as they came.
 *
 * A delivery is marked for a day once its invalidations are confirmed, never before: a mark says "done", so that no failure
 * between the two can turn a redelivery into a duplicate. Two of the same at once are both done, which is harmless.
 */
@Injectable()
export class GithubWebhook implements OnModuleInit {
  private readonly logger = new Logger('Webhook');
  private readonly bodies: SignedBodies;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly cache: ResponseCache,
    private readonly store: CacheStore,
    private readonly settling: SettlingTags,
    private readonly counts: WebhookCounts,
    @Inject(githubConfig.KEY) private readonly github: ConfigType<typeof githubConfig>,
  ) {
    this.bodies = new SignedBodies(github.webhookSecrets, {
      maxBytes: MAX_BODY_BYTES,
      maxBytesTogether: MAX_BODY_BYTES_TOGETHER,
      withinMs: BODY_WITHIN_MS,
    });
  }

  onModuleInit(): void {
    if (this.github.webhookSecrets.length === 0) return; // 404: there is nothing to tell a delivery by
    const { httpAdapter } = this.adapterHost;
    const problems = ProblemFilter.of(httpAdapter);
    const fastify: FastifyInstance = httpAdapter.getInstance<FastifyInstance>();
    void fastify.register((scope, _options, done) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null)); // read as it is, below
      scope.setErrorHandler((error, request, reply) => problems.send(error, request, reply));
      scope.post(PATH, async (request, reply) => this.answer(request, reply));
      done();
    });
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<Received> {
    const body = await this.bodyOf(request, reply);
    const { headers } = request;
    const event = textOf(headers['x-github-event']) ?? '';
    try {
      const received = await this.receive(event, headers, body);
      this.count(event, received.status);
      void reply.code(202);
      return received;
    } catch (error) {
      this.count(event, error instanceof AppError && error.code === 'request-invalid' ? 'malformed' : 'failed');
      throw error;
    }
  }

  /** The body, if it is signed. */
  private async bodyOf({ raw, headers }: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
    try {
      const signature = textOf(headers['x-hub-signature-256']);
      return await this.bodies.receive(raw, Number(headers['content-length'] ?? 0), signature);
    } catch (error) {
      const code = error instanceof AppError ? error.code : undefined;
      this.count('', code === 'webhook-unsigned' ? 'unsigned' : 'refused');
      closeLate(raw, reply.raw, code === 'request-timeout');
      throw error;
    }
  }

  /** A signed delivery. */
  private async receive(event: string, headers: FastifyRequest['headers'], body: Buffer): Promise<Received> {
    const delivery = textOf(headers['x-github-delivery']) ?? '';
    if (!EVENT.test(event) || !DELIVERY.test(delivery))
      throw new AppError(
        'request-invalid',
        'The delivery needs X-GitHub-Event and X-GitHub-Delivery, as GitHub sends them.',
      );
    const payload = parse(body, textOf(headers['content-type']) ?? '');
    const mark = markOf(event, delivery, body);
    const effect = effectOf(event, payload);
    if (await this.isMarked(mark, effect)) return { event, status: 'duplicate', invalidated: 0 };
    const invalidated = await this.invalidate(effect);
    if (!(await this.isFirstToMark(mark))) return { event, status: 'duplicate', invalidated };
    const done = effect.mode === 'purge' ? 'removed' : 'marked stale';
    this.logger.log(`${event}: ${invalidated} entries ${done} (${listed(effect.tags)}).`);
    return { event, status: effect.isKnown ? 'done' : 'unknown-event', invalidated };
  }

  private count(event: string, result: DeliveryResult): void {
    this.counts.add('github', isKnownEvent(event) ? event : 'other', result);
  }

  /** None is given up because another one failed: what Redis does not confirm is overdue from then on. */
  private async invalidate({ tags, mode }: Changed): Promise<number> {
    let invalidated = 0;
    const failures: unknown[] = [];
    for (let at = 0; at < tags.length; at += TAGS_AT_ONCE) {
      const some = tags.slice(at, at + TAGS_AT_ONCE);
      await this.settling.begin(some);
      const batch = some.map((tag) => this.cache.invalidate({ kind: 'tag', tag }, mode, 'webhook'));
      for (const one of await Promise.allSettled(batch)) {
        if (one.status === 'fulfilled') invalidated += one.value;
        else failures.push(one.reason);
      }
    }
    if (failures.length > 0) throw failures[0];
    return invalidated;
  }

  private async isMarked(name: string, changed: Changed): Promise<boolean> {
    try {
      return await this.store.isClaimed(name);
    } catch (error) {
      // GitHub does not deliver it again by itself: what it has changed goes from memory now, and from Redis when it is back.
      await this.invalidate(changed).catch(() => undefined);
      const message = 'Redis cannot be reached, and so nothing is promised of the delivery. Redeliver it.';
      throw new AppError('cache-unavailable', message, { retryAfterMs: 1_000, cause: error });
    }
  }

  /** False: the same delivery came twice at once, and the other one was marked before. */
  private async isFirstToMark(name: string): Promise<boolean> {
    try {
      return await this.store.claim(name, DAY_MS);
    } catch (error) {
      // It is done all the same. Should it come again, it is done again, which changes nothing.
      if (error instanceof StoreUnavailableError) return true;
      throw error;
    }
  }
}

/**
 * Who still sends and is to be cut off would lose the answer with the connection (RFC 9112 §9.6): it is closed when the rest is read
 * away; at once only for who is too slow to be waited for.
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
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('request-invalid', 'The delivery is signed, but its body is no JSON.', { cause: error });
  }
}

/**
 * A delivery's mark. Only the body is signed: with the same id, or as another event, an attacker could send an old body first and have the
 * real delivery taken for a duplicate. So the mark is of all three, and only the same delivery is a duplicate of itself.
 */
function markOf(event: string, delivery: string, body: Buffer): string {
  const hash = createHash('sha256').update(`${event}\n${delivery}\n`).update(body).digest('base64url');
  return `delivery:${hash}`;
}

/** The tags as a log line has them. */
function listed(tags: readonly string[]): string {
  const more = tags.length - MAX_TAGS_LOGGED;
  return `${tags.slice(0, MAX_TAGS_LOGGED).join(', ') || 'nothing to remove'}${more > 0 ? `, and ${more} more` : ''}`;
}

function textOf(field: string | string[] | undefined): string | undefined {
  return typeof field === 'string' ? field : undefined;
}
