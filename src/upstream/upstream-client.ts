import {
  NotModified,
  CacheableResult,
  type CacheEntry,
  type HandlerLoad,
  type HttpAnswer,
  type HttpCacheRequest,
  type Origin,
  type Validators,
} from '../cache';
import { identityBody } from '../cache/law';
import { AppError } from '../kernel/app-error';
import { untilAborted } from '../kernel/within';
import type { Refusal } from './budget/credential-budget';
import { pathOfResource, type CachedRequests } from './gateway/cached-requests';
import type { Callers } from './gateway/callers';
import { isCredentialLike } from './gateway/credentials';
import { THE_SERVICE, type GatewayOrigins } from './gateway/gateway-origins';
import { forwardedHeaders } from './gateway/header-rules';
import type { GatewayResponses } from './gateway/gateway-responses';
import { ANONYMOUS } from './gateway/partition';
import { parseTarget, type RequestTarget } from './gateway/request-target';
import { filledPath, type PathValues } from './path-template';
import { plainSelections, type PlainSelections } from './plain-selections';
import { limitSpent, ProjectionSource, type Projected } from './projection-source';
import { inLowerCase } from './upstream-api';
import type { UpstreamContext } from './upstream-context';
import { MAX_REDIRECTS, REDIRECTS, type UpstreamFetcher, type UpstreamResponse } from './upstream-fetcher';
import { responseOf, UpstreamReplies, type UpstreamReply } from './upstream-replies';

export interface GetOptions {
  /** Values of parameters in the path, such as `:name`: they are percent-encoded, and none leads to another path. */
  readonly params?: PathValues;
  /** Fields in place of the definition's own: those that the gateway forwards. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `service`, the default: with the service's own token, if there is one. `anonymous`: as a caller without a credential. */
  readonly as?: 'service' | 'anonymous';
  readonly signal?: AbortSignal;
}

export interface FetchOptions {
  readonly validators?: Validators | undefined;
  /** Whether no request waits for the response. */
  readonly isBackground?: boolean;
  readonly signal?: AbortSignal;
}

/** A response beside the cache. */
export interface FetchedResponse extends UpstreamResponse {
  /** Where the response is none, but a refusal for the rate limit's sake: how long to wait, in milliseconds. */
  readonly refusal: Refusal | undefined;
}

export interface UpstreamClientParts {
  readonly requests: CachedRequests;
  readonly origins: GatewayOrigins;
  readonly responses: GatewayResponses;
  readonly fetcher: UpstreamFetcher;
}

/** A refusal may be announced in this much of a body. */
const REFUSAL_BYTES = 4_096;
/** RFC 9110 §5.5 */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * An upstream for the service's own code.
 *
 * The invariant: `get` goes through the same cache, budget and breaker as the gateway. What one has stored the other finds, and the
 * upstream is asked once for both.
 */
export class UpstreamClient {
  private readonly replies: UpstreamReplies;
  private readonly plain: PlainSelections;

  constructor(
    private readonly upstream: UpstreamContext,
    private readonly parts: UpstreamClientParts,
  ) {
    this.plain = plainSelections(upstream.api.headers, upstream.headerRules);
    this.replies = new UpstreamReplies(upstream.api, parts.responses);
  }

  get name(): string {
    return this.upstream.api.name;
  }

  /**
   * The response to a GET, through the cache. Redirects within the API are followed.
   *
   * @param path with a query if need be, as behind the gateway's prefix; with `params` they take the place of `:name` in it
   * @throws AppError `upstream-*`, `deadline-exceeded` where there is no response and none stored, or as soon as `signal` aborts;
   *   `request-invalid` for a path that is none
   */
  async get(path: string, options: GetOptions = {}): Promise<UpstreamReply> {
    let next = this.targetOf(options.params ? filledPath(path, options.params) : path);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const reply = await untilAborted(options.signal, () => this.exchange(next, options));
      const { location } = reply.headers;
      if (!REDIRECTS.has(reply.status) || location === undefined) return reply;
      next = this.redirectedTo(location, next);
    }
    throw new AppError('upstream-invalid', `${this.name} redirects more than ${MAX_REDIRECTS} times.`);
  }

  /**
   * The response to a GET beside the cache, with the service's own token: for handlers whose answers the cache keeps.
   *
   * @throws AppError `upstream-*`
   */
  async fetch(path: string, { validators, isBackground = false, signal }: FetchOptions = {}): Promise<FetchedResponse> {
    const { budget, callers } = this.upstream;
    const { fetcher } = this.parts;
    const target = this.targetOf(path);
    const { fields, query } = callers.ownToSend;
    const headers = { ...pairsOf(fields), ...conditionsOf(validators) };
    const asked = query === '' ? '' : `${target.query === '' ? '?' : '&'}${query}`;
    const { answer, refusal } = await budget.schedule(
      { credential: callers.ownId, method: 'GET', path: target.path, isBackground, ...(signal && { signal }) },
      () => fetcher.get({ path: target.path + target.query + asked, headers, ...(signal && { signal }) }),
      {
        field: ({ headers: answered }, name) => answered[name],
        text: ({ status, headers: answered, body }) => {
          const bytes = budget.adapter.bodyBytesOf({ status, field: (name) => answered[name] });
          return body.subarray(0, Math.max(bytes, REFUSAL_BYTES)).toString('utf8');
        },
      },
    );
    return { ...answer, refusal };
  }

  /**
   * Derives the projection that a load is for, on a route with `@ProjectionOf`: from the response that the gateway has stored last, if that is
   * fresh and of a plain request of an anonymous caller, else from a new one.
   *
   * @param read makes the value of a response, or throws the error to answer. If it throws for the stored response, a new one is loaded.
   * @throws AppError `upstream-*`, and errors of `read`
   */
  async project<T extends object>(
    { validators, isBackground, nothingStored, resource }: HandlerLoad,
    read: (source: ProjectionSource) => T,
  ): Promise<Projected<T>> {
    if (resource?.upstream !== this.name)
      throw new Error(
        `The load is not one of a projection of ${this.name}: put @ProjectionOf(${this.name}, …) on the route.`,
      );
    const { api, title, callers } = this.upstream;
    const { entries, caching } = this.upstream.parts;
    const path = pathOfResource(resource.name);
    const origin = { name: api.name, title, hasToken: callers.ownId !== ANONYMOUS, path };
    const youngerThanMs = resource.ttlMs === 0 ? Infinity : (resource.ttlMs ?? caching.ttlMs);
    const stored = nothingStored
      ? undefined
      : await entries.latest(this.name, resource.name, youngerThanMs, this.plain);
    const known = stored && (await this.readStored(stored.entry, (found) => read(new ProjectionSource(found, origin))));
    if (stored && known)
      return new CacheableResult(known, { validators: stored.entry.validators, derivedFrom: stored });
    const { refusal, ...response } = await this.fetch(path, { validators, isBackground });
    if (response.status === 304 && validators) return new NotModified();
    if (refusal) throw limitSpent(origin, refusal.waitMs);
    const value = read(new ProjectionSource(response, origin));
    const { etag, 'last-modified': lastModified } = response.headers;
    return new CacheableResult(value, {
      validators: { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) },
    });
  }

  private async exchange(
    target: RequestTarget,
    { headers = {}, as = 'service', signal }: GetOptions,
  ): Promise<UpstreamReply> {
    const { api, callers, headerRules } = this.upstream;
    const { requests, origins } = this.parts;
    const partition = as === 'service' ? callers.own : callers.anonymous;
    const fields = Object.entries({ ...api.headers, 'accept-encoding': 'gzip', ...inLowerCase(headers) });
    const credential = Object.keys(headers).find((name) => isCredential(name, callers));
    if (credential !== undefined)
      throw new AppError('request-invalid', `${credential} is a credential. The client adds the service's own.`);
    for (const [name, value] of Object.entries(headers)) requireSendable(name, value);
    const rule = requests.ruleOf(target.path);
    const asked = requests.of(
      {
        ...{ method: 'GET', target, partition, hasAuthorization: partition.own !== undefined },
        ...{ headers: forwardedHeaders(fields, headerRules, true), client: { signal } },
      },
      rule,
    );
    const origin = origins.of(THE_SERVICE, target, partition);
    const startedAt = performance.now();
    const { key } = asked;
    const reported = async (answer: HttpAnswer): Promise<UpstreamReply> => {
      const reply = await this.replies.fromAnswer(answer, key);
      requests.report(answer, startedAt, key, reply.status);
      return reply;
    };
    try {
      return rule?.isBypass === true
        ? await reported(await passed(asked, origin))
        : await requests.exchange(asked, origin, reported);
    } catch (error) {
      const failure = error instanceof AppError ? error.code : 'internal';
      requests.report({ outcome: 'ERROR', tier: 'none', failure }, startedAt, key, undefined);
      throw error;
    }
  }

  /** @throws AppError `request-invalid` for a path with a credential in its query */
  private targetOf(path: string): RequestTarget {
    const target = parseTarget(path, this.upstream.callers.queryCredentials);
    if (target.credentials.length === 0) return target;
    throw new AppError('request-invalid', "The path has a credential in its query. The client adds the service's own.");
  }

  /** Undefined where the stored representation is not what the projection is derived from. */
  private async readStored<T>(entry: CacheEntry, read: (response: UpstreamResponse) => T): Promise<T | undefined> {
    try {
      const body = await this.replies.decoded(entry, await identityBody(entry));
      return read(responseOf(entry.status, entry.headers, body));
    } catch {
      return undefined;
    }
  }

  /** Where a redirect leads, in the API. What is wrong with it is no fault of the caller's. */
  private redirectedTo(location: string, { path, query }: RequestTarget): RequestTarget {
    const { baseUrl } = this.upstream.api;
    const base = `${baseUrl}${path}${query}`;
    // RFC 9110 §10.2.2: a Location may have a fragment, which is never sent (§7.1).
    const url = URL.canParse(location, base) ? new URL(location, base).href.replace(/#.*$/, '') : '';
    if (!url.startsWith(`${baseUrl}/`))
      throw new AppError('upstream-invalid', `${this.name} redirects to another host or path, which is not followed.`);
    try {
      return this.targetOf(url.slice(baseUrl.length));
    } catch {
      const reason = 'with a credential in its query, or one that could mean several things';
      throw new AppError('upstream-invalid', `${this.name} redirects to a URL ${reason}, which is not followed.`);
    }
  }
}

/** A response beside the cache, as a rule asks for it. */
async function passed({ method, headers, signal }: HttpCacheRequest, origin: Origin): Promise<HttpAnswer> {
  const answer = await origin({ method, headers, signal: signal ?? new AbortController().signal, isBackground: false });
  return { ...answer, kind: 'streamed', outcome: 'BYPASS', tier: 'upstream', forwarded: 'bypass' };
}

function isCredential(name: string, { partitions }: Callers): boolean {
  return partitions?.credentialName(name) !== undefined || isCredentialLike(name.toLowerCase());
}

/** @throws AppError `request-invalid` for a value that no field can have: it may be a caller's */
function requireSendable(name: string, value: unknown): void {
  if (typeof value === 'string' && FIELD_VALUE.test(value)) return;
  throw new AppError('request-invalid', `The value of the field "${name}" has characters that no field can have.`);
}

// RFC 9110 §13.1.3: with If-None-Match, If-Modified-Since is ignored; servers without entity tags need it.
function conditionsOf(validators: Validators | undefined): Record<string, string> {
  return {
    ...(validators?.etag === undefined ? {} : { 'if-none-match': validators.etag }),
    ...(validators?.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
  };
}

function pairsOf(flat: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) pairs[flat[at] ?? ''] = flat[at + 1] ?? '';
  return pairs;
}
