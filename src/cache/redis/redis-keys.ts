import { FORMAT_VERSION } from '../core/entry-codec';

/**
 * Every Redis key shape, and nothing else knows one. `{...}` is the Redis Cluster hash tag: keys that are touched together
 * share a slot.
 *
 * | key | type | what |
 * |---|---|---|
 * | `larder:v3:e:{KEY}` | string | an entry, head and body as `entry-codec.ts` tells; its TTL is the entry's life |
 * | `larder:v3:l:{KEY}` | string | the lease of the load under way, or the failure of the last one |
 * | `larder:v3:t:{TAG}` | sorted set | the keys that carry a tag, by the end of their life |
 * | `larder:v3:i:{TAG}` | string | the sequence of the tag's last invalidation, for loads under way |
 * | `larder:v3:c:{NAME}` | string | a name that is taken, such as a webhook delivery that was heeded |
 * | `larder:v3:n:{GROUP}` | hash | short texts that replicas leave each other, each with the end of its life in front |
 * | `larder:v3:a:{LOG}` | list | the last lines of a log that replicas share, newest first: `audit` |
 * | `larder:v3:q` | string | the sequence: a count of all invalidations |
 */
export class RedisKeys {
  private readonly root: string;
  private readonly entryPrefix: string;
  private readonly leasePrefix: string;
  readonly sequence: string;
  /** The pub/sub channel of invalidations; without the format's version, for others publish on it. */
  readonly channel: string;
  /** The pub/sub channel of live figures, which replicas send each other while somebody watches. */
  readonly liveChannel: string;

  /**
   * @param source a short word for what decides the answers beside the requests, such as the address of the API. It is not part of an
   * entry's key, which people type, but of the entry: one of another source is not ours. Claims and notes have it in their names.
   */
  constructor(
    prefix: string,
    readonly source = '',
  ) {
    this.channel = `${prefix}:invalidate`;
    this.liveChannel = `${prefix}:live`;
    this.root = `${prefix}:${FORMAT_VERSION}`;
    this.entryPrefix = `${this.root}:e:{`;
    this.leasePrefix = `${this.root}:l:{`;
    this.sequence = `${this.root}:q`;
  }

  entry(key: string): string {
    return `${this.entryPrefix}${key}}`;
  }

  lease(key: string): string {
    return `${this.leasePrefix}${key}}`;
  }

  tagIndex(tag: string): string {
    return `${this.root}:t:{${tag}}`;
  }

  tagMark(tag: string): string {
    return `${this.root}:i:{${tag}}`;
  }

  claim(name: string): string {
    return `${this.root}:c:{${this.ofSource(name)}}`;
  }

  notes(group: string): string {
    return `${this.root}:n:{${group}}`;
  }

  /** A name among those of the same source. */
  ofSource(name: string): string {
    return this.source === '' ? name : `${this.source}:${name}`;
  }

  log(name: string): string {
    return `${this.root}:a:{${name}}`;
  }

  /** What client tracking listens to: entries, leases, the sequence. */
  get trackedPrefixes(): readonly string[] {
    return [this.entryPrefix, this.leasePrefix, this.sequence];
  }

  /** The cache key that a Redis key stands for, or undefined for one of another shape. */
  parse(redisKey: string): { readonly kind: 'entry' | 'lease'; readonly key: string } | undefined {
    if (!redisKey.endsWith('}')) return undefined;
    if (redisKey.startsWith(this.entryPrefix))
      return { kind: 'entry', key: redisKey.slice(this.entryPrefix.length, -1) };
    if (redisKey.startsWith(this.leasePrefix))
      return { kind: 'lease', key: redisKey.slice(this.leasePrefix.length, -1) };
    return undefined;
  }

  /** SCAN patterns of the entries and leases whose cache key begins so; the prefix itself is taken literally. */
  scanByPrefix(prefix: string): { readonly entries: string; readonly leases: string } {
    const literal = escapeGlob(prefix);
    return {
      entries: `${escapeGlob(this.entryPrefix)}${literal}*`,
      leases: `${escapeGlob(this.leasePrefix)}${literal}*`,
    };
  }

  /** A SCAN pattern of the entries whose cache key matches a glob of `*` and `?`. */
  scanByGlob(glob: string): string {
    return `${escapeGlob(this.entryPrefix)}${glob.replace(/[[\]\\^]/g, '\\$&')}}`;
  }
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
