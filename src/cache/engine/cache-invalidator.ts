import { toCacheKey, toKeyPrefix } from '../model/cache-key';
import type { CacheStore, InvalidationMode, InvalidationTarget, InvalidationTargets } from '../store/cache-store';
import { confirmed } from '../store/if-available';
import { targetList } from '../store/invalidation-target';

/** The source of an invalidation. */
export type InvalidationSource = 'admin' | 'webhook' | 'write' | 'channel' | 'code';

/** Sources that name every tag themselves. */
const KNOWS_NAMES: ReadonlySet<InvalidationSource> = new Set(['webhook', 'write']);

/** An invalidation that the store has confirmed. */
export interface Invalidation {
  readonly targets: readonly InvalidationTarget[];
  readonly mode: InvalidationMode;
  /** How many entries were removed, or became stale. */
  readonly count: number;
  readonly source: InvalidationSource;
}

/** Any number of names, each as in `CACHE_MANAGER`, a rule or a URL. */
export interface InvalidationNames {
  /** For `@CacheKey`, `@Cacheable`, `CACHE_MANAGER`; a rule's key has the upstream's name in front (`shop:items:1`). */
  readonly keys?: readonly string[];
  readonly tags?: readonly string[];
  readonly prefixes?: readonly string[];
  /** Stored resources with all their projections, by key without the upstream's name, such as `-:/users/redis`. */
  readonly resources?: readonly { readonly upstream: string; readonly resource: string }[];
}

/** Removes stored responses, or marks them stale, by keys, tags, prefixes or resources. Everything that one event changes is one invalidation. */
export class CacheInvalidator {
  private readonly listeners: ((invalidation: Invalidation) => void)[] = [];
  private readonly synonyms: ((tag: string) => readonly string[])[] = [];

  constructor(private readonly store: CacheStore) {}

  onInvalidated(listener: (invalidation: Invalidation) => void): void {
    this.listeners.push(listener);
  }

  /** Tags of the same things by other names: an invalidation by operators or code covers both. */
  addSynonyms(synonymsOf: (tag: string) => readonly string[]): void {
    this.synonyms.push(synonymsOf);
  }

  /** The targets, and the synonyms of tags among them. */
  withSynonyms(targets: readonly InvalidationTarget[]): readonly InvalidationTarget[] {
    if (this.synonyms.length === 0) return targets;
    const more = targets.flatMap((target) =>
      target.kind === 'tag' ? this.synonyms.flatMap((synonymsOf) => synonymsOf(target.tag)) : [],
    );
    return [...targets, ...[...new Set(more)].map((tag) => ({ kind: 'tag' as const, tag }))];
  }

  /**
   * Once it resolves, no request on this replica gets a response that was stored or loaded before it; once the store has pushed the
   * change, no request on another replica does either.
   *
   * @returns how many entries it found
   * @throws AppError `cache-unavailable` where the shared store cannot promise it; some of several targets may be done then
   */
  async invalidate(
    targets: InvalidationTargets | InvalidationNames,
    mode: InvalidationMode = 'purge',
    source: InvalidationSource = 'code',
  ): Promise<number> {
    const named = isNames(targets) ? targetsNamed(targets) : targetList(targets);
    const all = KNOWS_NAMES.has(source) ? named : this.withSynonyms(named);
    if (all.length === 0) return 0;
    const count = await confirmed('confirm the invalidation', this.store.invalidate(all, mode));
    for (const listener of this.listeners) listener({ targets: all, mode, count, source });
    return count;
  }
}

function isNames(targets: InvalidationTargets | InvalidationNames): targets is InvalidationNames {
  return !Array.isArray(targets) && !('kind' in targets);
}

function targetsNamed({
  keys = [],
  tags = [],
  prefixes = [],
  resources = [],
}: InvalidationNames): InvalidationTarget[] {
  const names = [...keys, ...resources.map(({ upstream, resource }) => `${upstream}:${resource}`)];
  return [
    ...names.map((name) => ({ kind: 'key' as const, key: toCacheKey(name) })),
    ...tags.map((tag) => ({ kind: 'tag' as const, tag })),
    ...prefixes.map((prefix) => ({ kind: 'prefix' as const, prefix: toKeyPrefix(prefix) })),
  ];
}
