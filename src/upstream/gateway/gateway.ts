import { Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  cacheStatusOfError,
  type HeaderList,
  type HttpAnswer,
  type StoredAnswer,
  type StreamedAnswer,
} from '../../cache';
import { endToEnd, toHeaderList } from '../../cache/law';
import type { HeadContext } from '../../cache/fast-path';
import { ClientConnection } from '../../server/client-connection';
import { AppError } from '../../kernel/app-error';
import { kindOfProblem, problemOf, type ClientProblem } from '../../kernel/problem-table';
import { LimitOverviews } from '../budget/limit-overviews';
import type { LimitedRequest } from '../budget/rate-limited-request';
import { RateLimitError } from '../budget/rate-limit.error';
import type { UpstreamContext } from '../upstream-context';
import { settingName } from '../upstream-settings';
import { FreshnessAdvice } from './freshness-advice';
import { sendStored, sendStreamed } from './gateway-answer';
import type { GatewayEntryPoint } from './gateway-entry-point';
import type { CachedRequests } from './cached-requests';
import { callerOf, type GatewayOrigins } from './gateway-origins';
import type { GatewayResponse, GatewayResponses } from './gateway-responses';
import { notCached } from './gateway-tags';
import { GatewayWrites } from './gateway-writes';
import { CACHEABLE, forwardedHeaders } from './header-rules';
import { decrementMaxForwards } from './hops';
import { behindPrefix, parseTarget } from './request-target';

/** The parts that the gateway shares with the upstream's client. */
export interface GatewayParts {
  readonly requests: CachedRequests;
  readonly origins: GatewayOrigins;
  readonly responses: GatewayResponses;
}

/** Where a gateway is mounted, in addition to its prefix. */
export interface GatewayMount {
  /** Paths outside of the prefix, and which paths behind it they stand for; with `/*` for all below them. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly entryPoint: GatewayEntryPoint;
  /** The fields that the edge adds to a response, by the `Origin` of the request. */
  readonly headFor: (origin: string | undefined) => HeadContext;
}

/**
 * The upstream's whole API behind the cache: any path, query, method and field, as the upstream has it.
 *
 * Its one invariant: a stored answer goes to callers of its own partition only. It leaves the caching to `HttpCache`, the
 * sockets to `UpstreamRelay`.
 */
export class Gateway {
  private readonly writes: GatewayWrites;
  private readonly freshness: FreshnessAdvice;
  /** Undefined where the upstream shows no overview of its limits, or its own word is all. */
  private readonly overviews: LimitOverviews | undefined;

  constructor(
    private readonly upstream: UpstreamContext,
    private readonly parts: GatewayParts,
    private readonly mount: GatewayMount,
  ) {
    const { title, definition, limits } = upstream;
    this.writes = new GatewayWrites(upstream);
    const rulesFile = settingName(definition, 'RULES_FILE');
    this.freshness = new FreshnessAdvice({ title, rulesFile }, (message) => new Logger(title).warn(message));
    const overview = limits?.adapter.overview;
    this.overviews = overview && new LimitOverviews(overview, limits, upstream.parts.clock);
  }

  async answer(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { method = 'GET', rawHeaders, url = '/' } = request.raw;
    const { responses, requests, origins } = this.parts;
    const { callers, headerRules, parts } = this.upstream;
    const target = parseTarget(this.targetOf(url), callers.queryCredentials);
    const partition = callers.partitionOf(rawHeaders, target.credentials);
    const credential = callers.credentialOf(partition.id);
    const rule = requests.ruleOf(target.path);
    const isBypass = rule?.isBypass === true;
    const overviews = !isBypass && this.overviews?.isFor(method, target.path) ? this.overviews : undefined;
    const isCacheable = CACHEABLE.has(method) && !isBypass && !overviews;
    const received = decrementMaxForwards(method, endToEnd(toHeaderList(rawHeaders)));
    if (!received) {
      respondAsFinalRecipient(method, reply);
      return;
    }
    const isRead = CACHEABLE.has(method);
    const edit = responses.editFor(request.raw, target.path);
    const forwarded = forwardedHeaders(received, headerRules, isRead);
    const headers = edit ? edit.forUpstream(forwarded, isRead) : forwarded;
    // A load continues when the client has its whole response. The rest of a body with an early response does not.
    const client = new ClientConnection(request.raw, reply.raw, { endsWithResponse: !isCacheable });
    const key = requests.keyOf(target, partition);
    let sentBody: Buffer | undefined;
    const caller = callerOf(request, reply, (...rewriting) => responses.rewritten(...rewriting), target.path);
    const origin = origins.of(caller, target, partition, (body) => (sentBody = body));
    const startedAt = performance.now();
    try {
      const exchanged: Exchanged = isCacheable
        ? await requests.exchange(
            requests.of(
              {
                ...{ method: method as 'GET' | 'HEAD', target, partition, headers, client },
                hasAuthorization: request.headers.authorization !== undefined,
              },
              rule,
            ),
            origin,
            (found) => this.prepare(request, target.path, key, found),
          )
        : await withOverview(overviews, credential, headers, () =>
            this.writes.passOn({ method, target, partition, body: () => sentBody }, headers, client.signal, origin),
          );
      const { answer } = exchanged;
      if (answer.forwarded === 'stale') this.freshness.note(answer, rule, target.path);
      const context = {
        ...{ client, key, now: parts.clock.now(), head: this.mount.headFor(request.headers.origin) },
        rewrite: (fields: HeaderList) => responses.rewritten(fields, request.raw, target.path),
        onSent: () => requests.report(answer, startedAt, key, statusOf(answer), request.id),
      };
      const conditions = isRead ? responses.conditionsOf(received) : received;
      if (exchanged.prepared)
        await sendStored(request, conditions, reply, exchanged.answer, exchanged.prepared, context);
      else {
        const streaming = edit ? edit.streamed(exchanged.answer, method === 'HEAD') : exchanged.answer;
        await sendStreamed(request, conditions, reply, streaming, context);
      }
    } catch (failed) {
      if (client.hasGone) return;
      const error = this.explained(failed, { credential, method, path: target.path });
      const failure = error instanceof AppError ? error.code : 'internal';
      const status =
        error instanceof AppError
          ? (clientProblemOf(this.upstream, error)?.status ?? kindOfProblem(error.code).status)
          : undefined;
      requests.report({ outcome: 'ERROR', tier: 'none', failure }, startedAt, key, status, request.id);
      if (!reply.sent)
        reply.header('cache-status', cacheStatusOfError(key, failure, isCacheable ? 'miss' : notCached(method)));
      throw error;
    }
  }

  private explained(error: unknown, request: LimitedRequest): unknown {
    const { limits } = this.upstream;
    const isLimited = error instanceof AppError && error.code === 'upstream-rate-limited';
    return isLimited && limits ? limits.explained(error, request) : error;
  }

  /** Prepares a stored response. A prepared hit is kept, and the fast path serves equal requests from now on. */
  private async prepare(request: FastifyRequest, path: string, key: string, answer: HttpAnswer): Promise<Exchanged> {
    if (answer.kind === 'streamed') return streamed(answer);
    const { responses } = this.parts;
    const { raw } = request;
    const { entry, outcome, pointer } = answer;
    const isHit = outcome === 'HIT';
    const prepared = await (isHit
      ? responses.prepare(entry, pointer?.key ?? key, raw, path)
      : responses.prepareUncached(entry, key, raw, path, { isFirst: outcome === 'MISS' }));
    if (pointer) this.mount.entryPoint.remember(request, pointer, path);
    return { answer, prepared };
  }

  private targetOf(url: string): string {
    const { aliases } = this.mount;
    const [path = ''] = url.split('?', 1);
    const standsFor = aliases.get(path);
    if (standsFor !== undefined) return standsFor + url.slice(path.length);
    const subtree = this.subtreeOf(path);
    return subtree === undefined
      ? behindPrefix(url, this.upstream.settings.routePrefix)
      : subtree.standsFor + url.slice(subtree.length);
  }

  /** The alias of the longest subtree that the path is in. */
  private subtreeOf(path: string): { readonly length: number; readonly standsFor: string } | undefined {
    let found: { readonly length: number; readonly standsFor: string } | undefined;
    for (const [alias, standsFor] of this.mount.aliases) {
      const length = alias.length - 2;
      const isBelow = alias.endsWith('/*') && path.startsWith(alias.slice(0, -1));
      if (isBelow && length > (found?.length ?? -1)) found = { length, standsFor };
    }
    return found;
  }
}

/** The additions to a problem that the API's clients expect. */
export function clientProblemOf(
  { definition }: UpstreamContext,
  error: AppError,
  accept = '',
): ClientProblem | undefined {
  const limit = error instanceof RateLimitError ? error.kind : undefined;
  return definition.clientProblem?.({ ...problemOf(error.code, error.message), limit, accept });
}

type Exchanged =
  | { readonly answer: StoredAnswer; readonly prepared: GatewayResponse }
  | { readonly answer: StreamedAnswer; readonly prepared: undefined };

function streamed(answer: StreamedAnswer): Exchanged {
  return { answer, prepared: undefined };
}

/** An answer that shows the caller's limits is the budget's, where that knows them. */
async function withOverview(
  overviews: LimitOverviews | undefined,
  credential: string,
  headers: HeaderList,
  ask: () => Promise<StreamedAnswer>,
): Promise<Exchanged> {
  const known = await overviews?.find(credential, headers);
  if (known) return streamed(known);
  const answer = await ask();
  return streamed(overviews ? await overviews.read(credential, headers, answer) : answer);
}

function statusOf(answer: HttpAnswer): number {
  return answer.kind === 'stored' ? answer.entry.status : answer.status;
}

/** The client asks what is here, not what is behind (RFC 9110 §7.6.2). */
function respondAsFinalRecipient(method: string, reply: FastifyReply): void {
  const allow = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
  if (method !== 'OPTIONS')
    throw new AppError('method-not-allowed', `The gateway itself takes no ${method}; leave Max-Forwards out.`, {
      headers: { allow },
    });
  void reply.code(204).header('allow', allow).send();
}
