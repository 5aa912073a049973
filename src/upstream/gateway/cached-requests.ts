import { Logger } from '@nestjs/common';
import {
  toCacheKey,
  type HeaderList,
  type HttpCacheRequest,
  removeUnreadable,
  type CacheEvent,
  type HttpAnswer,
  type Origin,
} from '../../cache';
import type { UpstreamContext } from '../upstream-context';
import { GatewayRules, type AppliedGatewayRule } from './gateway-rules';
import { callerTags, pathTag } from './gateway-tags';
import { ANONYMOUS, type Partition } from './partition';
import { parseTarget, withoutEmptySegments, type RequestTarget } from './request-target';

/** A GET or HEAD, of a client of the gateway or of the service itself. */
export interface Asked {
  readonly method: 'GET' | 'HEAD';
  readonly target: RequestTarget;
  readonly partition: Partition;
  /** As they go upstream and select. */
  readonly headers: HeaderList;
  readonly hasAuthorization: boolean;
  /** Whose signal aborts when it has disconnected; read only for a load. */
  readonly client: { readonly signal: AbortSignal | undefined };
}

/**
 * Requests to an upstream as the cache sees them.
 *
 * The invariant: the gateway and the client have the same key, tags and policy for the same path and caller, so that one finds what the
 * other has stored, and one purge removes it for both.
 */
export class CachedRequests {
  private readonly name: string;
  /** The operator's table; undefined in the strict profile, where the upstream's own word is all. */
  private readonly rules: GatewayRules | undefined;
  /** Whether anonymous callers may be served with a stored `private` response: of a shared token, or of an API that marks all so. */
  private readonly storesPrivate: boolean;

  constructor(private readonly upstream: UpstreamContext) {
    const { definition, settings, callers, parts } = upstream;
    const { negativeTtlMs, staleIfErrorMs } = parts.caching;
    const { staleDespiteMustRevalidate, sharesPrivate, foldsCase } = definition;
    const defaults = { negativeTtlMs, defaultStaleIfErrorMs: staleIfErrorMs, staleDespiteMustRevalidate };
    this.name = definition.name;
    this.rules = settings.isStrict ? undefined : new GatewayRules(settings.rules, defaults, foldsCase);
    this.storesPrivate = callers.shared !== undefined || sharesPrivate === true;
  }

  ruleOf(path: string): AppliedGatewayRule | undefined {
    return this.rules?.for(withoutEmptySegments(path));
  }

  keyOf({ path, query }: RequestTarget, { id }: Partition): string {
    return toCacheKey(`${this.name}:${id}:${path}${query}`);
  }

  /** The partition of a key of this upstream. */
  partitionOf(key: string): string {
    const from = this.name.length + 1;
    return key.slice(from, key.indexOf(':', from));
  }

  of(asked: Asked, rule = this.ruleOf(asked.target.path)): HttpCacheRequest {
    const { target, partition, method, headers, hasAuthorization, client } = asked;
    const kind = partition.id === ANONYMOUS && !this.storesPrivate ? 'shared' : 'private';
    const key = this.keyOf(target, partition);
    let tags: readonly string[] | undefined;
    const tagsOf = (): readonly string[] => this.tagsOf(asked, rule);
    return {
      ...{ key, upstream: this.name, policy: rule?.policy, kind, method, headers, hasAuthorization },
      // A hit needs neither.
      get tags(): readonly string[] {
        return (tags ??= tagsOf());
      },
      get signal(): AbortSignal | undefined {
        return client.signal;
      },
    };
  }

  private tagsOf({ target: { path }, partition }: Asked, rule: AppliedGatewayRule | undefined): readonly string[] {
    const { definition, tagOf } = this.upstream;
    const named = [...(definition.tags?.(withoutEmptySegments(path)) ?? []), ...(rule?.tags ?? [])];
    return [pathTag(this.name, path), ...named.map(tagOf), ...callerTags(partition)];
  }

  /** The cache's answer, as `use` has it. A stored body that cannot be unpacked is removed, and the request answered as if there had been none. */
  async exchange<T>(asked: HttpCacheRequest, origin: Origin, use: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    const { httpCache, parts, title } = this.upstream;
    try {
      return await use(await httpCache.exchange(asked, origin));
    } catch (error) {
      await removeUnreadable(error, parts.cache, new Logger(title));
      return use(await httpCache.exchange(asked, origin));
    }
  }

  /** Publishes the outcome of a request that began at `startedAt` (`performance.now()`). */
  report(
    { outcome, tier, failure }: Pick<CacheEvent, 'outcome' | 'tier' | 'failure'>,
    startedAt: number,
    key: string,
    status: number | undefined,
    requestId?: string,
  ): void {
    const { name: upstream } = this;
    const durationMs = performance.now() - startedAt;
    this.upstream.parts.events.publish({ outcome, tier, failure, upstream, key, status, durationMs, requestId });
  }
}

/**
 * The stored response that a projection is derived from, as anonymous callers get it: a projection shows no more than everyone may see.
 *
 * @param path of the upstream, such as `/users/redis`; normalised as the gateway normalises it
 */
export function anonymousResource(path: string): string {
  const target = parseTarget(path);
  return `${ANONYMOUS}:${target.path}${target.query}`;
}

/** The path, and the query, of such a resource. */
export function pathOfResource(resource: string): string {
  return resource.slice(ANONYMOUS.length + 1);
}
