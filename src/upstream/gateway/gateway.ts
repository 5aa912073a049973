import { METHODS, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  cacheStatusOfError,
  endToEnd,
  isUnsafe,
  toCacheKey,
  toHeaderList,
  valueOf,
  valuesOf,
  type CacheEntry,
  type CacheEvent,
  type CacheEvents,
  type Deliveries,
  type FlatFields,
  type HeaderList,
  type HttpAnswer,
  type HttpCache,
  type Origin,
  type OriginResponse,
  type ResponseCache,
} from '../../cache';
import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import type { UpstreamDefinition } from '../upstream-definition';
import type { UpstreamRelay } from '../upstream-relay';
import type { FairQueue } from '../budget/fair-queue';
import type { RateBudget } from '../budget/rate-budget';
import { peek, type Peeked, type PeekLimits } from '../peeked-body';
import { writeAnswer } from './gateway-answer';
import type { GatewayLane } from './gateway-lane';
import type { GatewayRules } from './gateway-rules';
import { forwardedHeaders, type HeaderRules } from './header-rules';
import { hopsBefore, oneForwardLess, receivedFields, viaField } from './hops';
import { ANONYMOUS, type Partition, type Partitions } from './partition';
import { RelayedDelivery } from './relayed-delivery';
import { begun } from './request-body';
import { behindPrefix, parseTarget, type RequestTarget } from './request-target';
import { UnpackedBodies } from './unpacked-bodies';
import { gatewayBaseOf, haveUrls, rewriteUrls } from './url-rewriting';

export interface GatewayOptions {
  /** Where it is mounted, such as `/github`. */
  readonly prefix: string;
  /** Paths outside of the prefix, and which paths behind it they stand for. */
  readonly aliases: ReadonlyMap<string, string>;
  /** The service as its clients know it, for the links in header fields; undefined: as each request names it. */
  readonly publicUrl: string | undefined;
  readonly definition: UpstreamDefinition;
  readonly headerRules: HeaderRules;
  /** Undefined: one shared cache for all callers, whose credentials are fields like others (RFC 9111 §3.5). */
  readonly partitions: Partitions | undefined;
  /** Sent for callers without a credential of their own; undefined for none. */
  readonly sharedAuthorization: string | undefined;
  /** Tags of what is stored under a path. */
  readonly tagsOf: (path: string) => readonly string[];
  /** Tags of what a write under a path changes, beside the path itself. */
  readonly tagsOfWrite: (path: string) => readonly string[];
  /** A link's path by another name of the same, if the upstream writes it otherwise than it was asked for. */
  readonly linkedAs: (path: string, asked: string) => string;
  /** The operator's table; undefined where the upstream's own word is all. */
  readonly rules: GatewayRules | undefined;
  /** The rate limits that requests count against; undefined to send whatever comes. */
  readonly budget: RateBudget | undefined;
  /** Whose limits the requests of callers without a credential count against. */
  readonly anonymousCredential: string;
  /** Fields that the edge adds to every answer. */
  readonly edge: FlatFields;
  /** Takes turns for bodies that take long to come; undefined where all are sent at once. */
  readonly uploads: FairQueue | undefined;
  /** What the edge knows its routes by. */
  readonly routeConfig: object;
}

export interface GatewayParts {
  readonly httpCache: HttpCache;
  readonly cache: ResponseCache;
  readonly relay: UpstreamRelay;
  readonly deliveries: Deliveries;
  /** Where hits are answered that have come the long way before; undefined where they always do. */
  readonly lane: GatewayLane | undefined;
  readonly events: CacheEvents;
  readonly clock: Clock;
  readonly onError: (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;
}

/** Where only the body tells what an answer is about. */
const PEEK: PeekLimits = { maxBytes: 4_096, maxMs: 1_000 };
const EVERYBODY: Partition = { id: ANONYMOUS, authorization: undefined };
const CACHEABLE: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** Statuses whose answers have no content, and no length of it (RFC 9110 §8.6). */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * The upstream's whole API behind the cache: any path, query, method and field, as the upstream has it.
 *
 * Its one invariant: a stored answer goes to callers of its own partition only. It leaves the caching to `HttpCache`, the
 * sockets to `UpstreamRelay`.
 */
export class Gateway {
  private readonly unpacked = new UnpackedBodies();

  constructor(
    private readonly options: GatewayOptions,
    private readonly parts: GatewayParts,
  ) {}

  /** Routes of its own, in front of Nest's pipeline: bodies are streams here, which nobody else may read. */
  mount(fastify: FastifyInstance): void {
    const { prefix, aliases } = this.options;
    void fastify.register((scope, _options, done) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
      scope.setErrorHandler((error, request, reply) => this.parts.onError(error, request, reply));
      const methods = METHODS.filter((method) => method !== 'CONNECT');
      for (const method of methods)
        if (!scope.supportedMethods.includes(method)) scope.addHttpMethod(method, { hasBody: true });
      const handler = (request: FastifyRequest, reply: FastifyReply): Promise<void> => this.answer(request, reply);
      const route = { method: methods, handler, exposeHeadRoute: false, config: this.options.routeConfig };
      for (const url of [prefix, `${prefix}/*`, ...aliases.keys()]) scope.route({ ...route, url });
      done();
    });
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { method = 'GET', rawHeaders, url = '/' } = request.raw;
    const target = parseTarget(this.targetOf(url));
    const partition = this.options.partitions?.of(rawHeaders) ?? EVERYBODY;
    const rule = this.options.rules?.for(target.path);
    const isCacheable = CACHEABLE.has(method) && rule?.isBypass !== true;
    const received = oneForwardLess(method, endToEnd(toHeaderList(rawHeaders)));
    if (!received) {
      answerAsLastHop(method, reply);
      return;
    }
    const headers = forwardedHeaders(received, this.options.headerRules, CACHEABLE.has(method));
    const client = new AbortController();
    // A client that has all it asked for has not gone: what is loaded for it is loaded to its end. What is left of a body that
    // was answered early goes no further, though.
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished || !isCacheable) client.abort();
    });
    const key = this.keyOf(target, partition);
    const origin = this.originOf(request, reply, target, partition);
    const startedAt = performance.now();
    try {
      const answer = isCacheable
        ? await this.parts.httpCache.exchange(
            {
              ...{ key, upstream: this.options.definition.name, method: method as 'GET' | 'HEAD', headers },
              kind: partition.id === ANONYMOUS && this.options.sharedAuthorization === undefined ? 'shared' : 'private',
              hasAuthorization: request.headers.authorization !== undefined,
              tags: [...this.tagsOf(target.path), ...(rule?.tags ?? [])],
              operator: rule?.policy,
              signal: client.signal,
            },
            origin,
          )
        : await this.passOn(method, target, headers, client.signal, origin);
      const status = answer.kind === 'stored' ? answer.entry.status : answer.status;
      this.tell(request, key, status, startedAt, answer);
      const rewrite = (fields: HeaderList): HeaderList => this.rewritten(fields, request, target.path);
      if (answer.kind === 'stored' && answer.outcome === 'HIT') await this.prepare(request, key, answer, rewrite);
      await writeAnswer(request, received, reply, answer, {
        ...{ key, now: this.parts.clock.now(), edge: this.options.edge, rewrite },
        bodyOf: (entry) => this.bodyOf(entry),
      });
    } catch (error) {
      if (client.signal.aborted) return;
      const failure = error instanceof AppError ? error.code : 'internal';
      this.tell(request, key, undefined, startedAt, { outcome: 'ERROR', tier: 'none', failure });
      if (!reply.sent)
        reply.header('cache-status', cacheStatusOfError(key, failure, isCacheable ? 'miss' : notCached(method)));
      throw error;
    }
  }

  /** Makes ready what the lane sends to who asks alike. */
  private async prepare(
    { raw }: FastifyRequest,
    key: string,
    { entry, way }: Extract<HttpAnswer, { kind: 'stored' }>,
    rewrite: (fields: HeaderList) => HeaderList,
  ): Promise<void> {
    const { deliveries, lane } = this.parts;
    if (WITHOUT_CONTENT.has(entry.status)) return;
    const fields = entry.headers.filter(([name]) => name !== 'content-length');
    const base = haveUrls(fields) ? gatewayBaseOf(raw, this.options.publicUrl, this.options.prefix) : undefined;
    const known = deliveries.relayed(entry);
    if (!(known instanceof RelayedDelivery) || known.base !== base) {
      const body = await this.bodyOf(entry);
      deliveries.keepRelayed(entry, new RelayedDelivery(entry, body, rewrite(fields), base, key));
    }
    if (way) lane?.learn(raw, way);
  }

  private bodyOf(entry: CacheEntry): Buffer | Promise<Buffer> {
    return this.parts.deliveries.relayed(entry)?.body ?? this.unpacked.of(entry);
  }

  private rewritten(fields: HeaderList, { raw }: FastifyRequest, path: string): HeaderList {
    const { definition, publicUrl, prefix, linkedAs, partitions } = this.options;
    if (!haveUrls(fields)) return fields;
    return rewriteUrls(fields, {
      ...{ upstreamBase: definition.baseUrl, gatewayBase: gatewayBaseOf(raw, publicUrl, prefix), path },
      linkedAs: (linked) => linkedAs(linked, path),
      keepsRelative: partitions === undefined,
    });
  }

  /** Anything but GET and HEAD goes through; what it has changed is not served any more (RFC 9111 §4.4). */
  private async passOn(
    method: string,
    target: RequestTarget,
    headers: HeaderList,
    signal: AbortSignal,
    origin: Origin,
  ): Promise<HttpAnswer> {
    const {
      status,
      headers: answered,
      body,
    } = await origin({ method, headers, signal, isBackground: false }).catch(async (error: unknown) => {
      // It may have been sent, and done: nobody will tell.
      if (isUnsafe(method) && !isUnsent(error)) await this.invalidateAfter(target, []);
      throw error;
    });
    const hasChanged = isUnsafe(method) && status >= 200 && status < 400;
    const failure = hasChanged ? await this.invalidateAfter(target, answered) : undefined;
    const facts = {
      outcome: 'BYPASS',
      tier: 'upstream',
      forwarded: notCached(method),
      ...(failure && { failure }),
    } as const;
    return { kind: 'streamed', status, headers: answered, body, ...facts };
  }

  /** Undefined, or why it could not be confirmed: the client is told of its write all the same, for that is done. */
  private async invalidateAfter(target: RequestTarget, answered: HeaderList): Promise<string | undefined> {
    const { definition, tagsOfWrite } = this.options;
    const { baseUrl, name } = definition;
    const root = new URL(`${baseUrl}/`).href;
    const others = [...valuesOf(answered, 'location'), ...valuesOf(answered, 'content-location')].flatMap((value) => {
      const base = `${baseUrl}${target.path}`;
      const url = URL.canParse(value, base) ? new URL(value, base).href : '';
      return url.startsWith(root) ? pathAsKeyed(url.slice(root.length - 1)) : [];
    });
    const tags = new Set([target.path, ...others].flatMap((path) => [pathTag(name, path), ...tagsOfWrite(path)]));
    try {
      await Promise.all(Array.from(tags, (tag) => this.parts.cache.invalidate({ kind: 'tag', tag })));
      return undefined;
    } catch (error) {
      if (error instanceof AppError && error.code === 'cache-unavailable') return error.code;
      throw error;
    }
  }

  private originOf(request: FastifyRequest, reply: FastifyReply, target: RequestTarget, partition: Partition): Origin {
    const { definition, headerRules, sharedAuthorization, budget, anonymousCredential, partitions } = this.options;
    const { authorization: own } = partition;
    const authorization = own ?? sharedAuthorization;
    return async ({ method, headers, signal, isBackground }) => {
      const isBodiless = CACHEABLE.has(method);
      const endsHere = (name: string): boolean =>
        isBodiless && (headerRules.endingHere.has(name) || OF_A_BODY.has(name));
      const fields = headers.flatMap(([name, value]) => (endsHere(name) ? [] : [name, value]));
      const add = (name: string, value: string | undefined): void => {
        if (value !== undefined && !headers.some(([known]) => known === name)) fields.push(name, value);
      };
      // The client's own words go on as they are; an API may ask for a name, though, and the client's is not passed on.
      if (this.options.partitions) add('user-agent', definition.headers['user-agent']);
      add('authorization', authorization);
      if (!headerRules.forwards('via', isBodiless))
        fields.push(...hopsBefore(toHeaderList(request.raw.rawHeaders), isBodiless));
      fields.push(...viaField(request.raw.httpVersion), ...headerRules.announces);
      const body = isBodiless ? undefined : bodyOf(request);
      if (body !== undefined && request.headers['content-length'] === undefined)
        fields.push('transfer-encoding', 'chunked');
      const sendWith = async (
        stream: Readable | undefined,
      ): Promise<OriginResponse & { readonly body: IncomingMessage }> => {
        const answer = await this.parts.relay.send({
          ...{ method, path: `${target.path}${target.query}`, headers: fields, body: stream, signal },
          onInterim: (status, rawHeaders) =>
            sendInterim(reply, status, rawHeaders, (hints) => this.rewritten(hints, request, target.path)),
        });
        return { ...answer, headers: receivedFields(answer) };
      };
      if (!budget) return sendWith(body);
      const { dialect } = budget.options;
      const sendAndPeek = async (
        stream: Readable | undefined,
      ): Promise<OriginResponse & Partial<Peeked> & { readonly rest: IncomingMessage }> => {
        const sent = await sendWith(stream);
        const answer = { ...sent, rest: sent.body };
        const field = (name: string): string | undefined => valueOf(answer.headers, name);
        const declaredBytes = Number(field('content-length') ?? 0);
        if (declaredBytes > PEEK.maxBytes || !dialect.isToldByBody({ status: answer.status, field })) return answer;
        return { ...answer, ...(await peek(answer.body, field('content-encoding'), PEEK)) };
      };
      const credential = own === undefined ? anonymousCredential : (partitions?.credentialOf(own) ?? partition.id);
      const spending = { credential, method, path: target.path, isBackground, signal };
      const spend = async (stream?: Readable): Promise<OriginResponse> => {
        const { answer, refusal } = await budget.spend(spending, () => sendAndPeek(stream), {
          field: ({ headers: answered }, name) => valueOf(answered, name),
          text: ({ text }) => text,
          rest: ({ rest }) => rest,
        });
        return refusal ? { ...answer, isRefusal: true } : answer;
      };
      if (body === undefined) return spend();
      const { stream, isWhole } = await begun(body, UPLOAD_BYTES);
      const { uploads } = this.options;
      if (isWhole || !uploads) return spend(stream);
      return uploads.run({ line: credential, limitOf: () => Infinity, signal }, () => spend(stream));
    };
  }

  private targetOf(url: string): string {
    const { prefix, aliases } = this.options;
    const [path = ''] = url.split('?', 1);
    const standsFor = aliases.get(path);
    return standsFor === undefined ? behindPrefix(url, prefix) : standsFor + url.slice(path.length);
  }

  private keyOf({ path, query }: RequestTarget, { id }: Partition): string {
    return toCacheKey(`${this.options.definition.name}:${id}:${path}${query}`);
  }

  private tagsOf(path: string): readonly string[] {
    const { definition, tagsOf } = this.options;
    return [pathTag(definition.name, path), ...tagsOf(path)];
  }

  private tell(
    { id: requestId }: FastifyRequest,
    key: string,
    status: number | undefined,
    startedAt: number,
    { outcome, tier, failure }: Pick<CacheEvent, 'outcome' | 'tier' | 'failure'>,
  ): void {
    const { name: upstream } = this.options.definition;
    const event = { outcome, tier, upstream, key, status, durationMs: performance.now() - startedAt, requestId };
    this.parts.events.publish(failure === undefined ? event : { ...event, failure });
  }
}

/** Hands an interim response on, as far as node knows it (102, 103), while the answer itself is still to come. */
function sendInterim(
  { raw, request }: FastifyReply,
  status: number,
  rawHeaders: readonly string[],
  rewrite: (hints: HeaderList) => HeaderList,
): void {
  // RFC 9110 §15.2: never to a client of HTTP/1.0
  if (raw.headersSent || raw.destroyed || request.raw.httpVersionMinor === 0) return;
  if (status === 102) raw.writeProcessing();
  if (status !== 103) return;
  const fields = rewrite(endToEnd(toHeaderList(rawHeaders)).filter(([name]) => name !== 'content-length'));
  const hints = Object.fromEntries(fields.map(([name]) => [name, valuesOf(fields, name)]));
  try {
    if (hints['link'] !== undefined) raw.writeEarlyHints(hints);
  } catch {
    return; // node takes no link of another form than its own; a hint may be left out, an answer may not
  }
}

/** Larger request bodies take turns of their own, so that slow ones leave room for everything else. */
const UPLOAD_BYTES = 65_536;
/** Fields that promise a body: of a request that goes on without one, they would have the upstream take the next one for it. */
const OF_A_BODY: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'expect']);

/** Whether the request has certainly not reached the upstream. */
function isUnsent(error: unknown): boolean {
  return error instanceof AppError && NOT_SENT.has(error.code);
}

const NOT_SENT: ReadonlySet<string> = new Set(['upstream-paused', 'upstream-rate-limited', 'deadline-exceeded']);
/** The client asks what is here, not what is behind (RFC 9110 §7.6.2). */
function answerAsLastHop(method: string, reply: FastifyReply): void {
  const allow = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
  if (method !== 'OPTIONS')
    throw new AppError('method-not-allowed', `The gateway itself takes no ${method}; leave Max-Forwards out.`, {
      headers: { allow },
    });
  void reply.code(204).header('allow', allow).send();
}

/** The path of a URL as requests for it are keyed, or none, if there can be no such request. */
function pathAsKeyed(url: string): readonly string[] {
  try {
    return [parseTarget(url.split(/[?#]/, 1)[0] ?? '/').path];
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

/** Why the cache has no part in a request, where it has none (RFC 9211 §2.2). */
function notCached(method: string): 'bypass' | 'method' {
  return CACHEABLE.has(method) ? 'bypass' : 'method';
}

/** All that is stored of a path, whatever its query and for whomever. */
function pathTag(upstream: string, path: string): string {
  return `path:${upstream}:${path}`;
}

function bodyOf({ body, headers, raw }: FastifyRequest): FastifyRequest['raw'] | undefined {
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return hasBody ? ((body as FastifyRequest['raw'] | undefined) ?? raw) : undefined;
}
