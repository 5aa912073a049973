import { toCacheKey, type HeaderList, type HttpCacheRequest } from '../../cache';
import type { AppliedGatewayRule, GatewayRules } from './gateway-rules';
import { callerTags, pathTag } from './gateway-tags';
import { ANONYMOUS, type Partition } from './partition';
import { parseTarget, withoutEmptySegments, type RequestTarget } from './request-target';

export interface CachedRequestsOptions {
  readonly upstream: string;
  /** Tags of the responses of a path, as stored. */
  readonly tagsOf: (path: string) => readonly string[];
  /** A tag of the operator's rules as it is stored. */
  readonly tagOf: (tag: string) => string;
  /** The operator's table; undefined where the upstream's own word is all. */
  readonly rules: GatewayRules | undefined;
  /** Whether anonymous callers may be served with a stored `private` response: of a shared token, or of an API that marks all so. */
  readonly storesPrivate: boolean;
}

/** A GET or HEAD, of a client of the gateway or of the service itself. */
export interface Asked {
  readonly method: 'GET' | 'HEAD';
  readonly target: RequestTarget;
  readonly partition: Partition;
  /** As they go upstream and select. */
  readonly headers: HeaderList;
  readonly hasAuthorization: boolean;
  readonly signal: AbortSignal;
}

/**
 * Requests to an upstream as the cache sees them.
 *
 * The invariant: the gateway and the client have the same key, tags and policy for the same path and caller, so that one finds what the
 * other has stored, and one purge removes it for both.
 */
export class CachedRequests {
  constructor(private readonly options: CachedRequestsOptions) {}

  ruleOf(path: string): AppliedGatewayRule | undefined {
    return this.options.rules?.for(withoutEmptySegments(path));
  }

  keyOf({ path, query }: RequestTarget, { id }: Partition): string {
    return toCacheKey(`${this.options.upstream}:${id}:${path}${query}`);
  }

  /** The partition of a key of this upstream. */
  partitionOf(key: string): string {
    const from = this.options.upstream.length + 1;
    return key.slice(from, key.indexOf(':', from));
  }

  of({ target, partition, ...asked }: Asked, rule = this.ruleOf(target.path)): HttpCacheRequest {
    const { upstream, tagsOf, tagOf, storesPrivate } = this.options;
    const tags = [
      pathTag(upstream, target.path),
      ...tagsOf(withoutEmptySegments(target.path)),
      ...(rule?.tags ?? []).map(tagOf),
    ];
    return {
      ...asked,
      ...{ key: this.keyOf(target, partition), upstream, policy: rule?.policy },
      kind: partition.id === ANONYMOUS && !storesPrivate ? 'shared' : 'private',
      tags: [...tags, ...callerTags(partition)],
    };
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
