import { READABLE_OF_HASHED } from '../../model/cache-key';
import { FORMAT_VERSION } from '../entry-codec';

/**
 * Every Redis key shape; no other file knows one. `{...}` is the Redis Cluster hash tag: keys that one script uses share a slot.
 *
 *   | key | type | content |
 *   |---|---|---|
 *   | `larder:v4:e:{KEY}` | string | an entry, head and body as in `entry-codec.ts`; its TTL is the entry's life |
 *   | `larder:v4:l:{KEY}` | string | the lease of the load under way, or the failure of the last one |
 *   | `larder:v4:l:{KEY}\|SELECTION` | string | the lease of one selection, while nothing is stored for the URL |
 *   | `larder:v4:l:{KEY}\|` | string | how often the URL was stored where nothing had been (`lua.ts`) |
 *   | `larder:v4:t:{TAG}` | sorted set | the keys that carry a tag, by the end of their life |
 *   | `larder:v4:i:{TAG}` | string | written and removed in one step: notifies replicas that the tag was invalidated |
 *   | `larder:v4:c:{NAME}` | string | a claimed name, such as a processed webhook delivery |
 *   | `larder:v4:n:{GROUP}` | hash | short texts that replicas share, each with the end of its life in front |
 *   | `larder:v4:a:{LOG}` | list | the last lines of a log that replicas share, newest first: `audit` |
 *   | `larder:v4:q` | hash | the ledger of invalidations: their count, and the last ones by tag and key |
 */
export class RedisKeys {
  private readonly root: string;
  private readonly entryPrefix: string;
  private readonly leasePrefix: string;
  private readonly tagNoticePrefix: string;
  readonly tagIndexPrefix: string;
  readonly ledger: string;
  /** The pub/sub channel of invalidations; without the format's version, because other programs publish on it. */
  readonly channel: string;
  /** The pub/sub channel of live figures, which replicas publish while a client watches. */
  readonly liveChannel: string;

  /**
   * @param source a short digest of the settings that decide the responses, such as the address of the API. It is not part of an
   * entry's key, which people type, but of the entry: an entry of another source is foreign. Names of claims and shared values contain it.
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
    this.ledger = `${this.root}:q`;
    this.tagIndexPrefix = `${this.root}:t:{`;
    this.tagNoticePrefix = `${this.root}:i:{`;
  }

  entry(key: string): string {
    return `${this.entryPrefix}${key}}`;
  }

  /** @param selection for a URL with nothing stored: in the slot of the entry */
  lease(key: string, selection?: string): string {
    return `${this.leasePrefix}${key}}${selection === undefined ? '' : `|${selection}`}`;
  }

  tagIndex(tag: string): string {
    return `${this.tagIndexPrefix}${tag}}`;
  }

  tagNotice(tag: string): string {
    return `${this.tagNoticePrefix}${tag}}`;
  }

  claim(name: string): string {
    return `${this.root}:c:{${this.ofSource(name)}}`;
  }

  sharedValues(group: string): string {
    return `${this.root}:n:{${group}}`;
  }

  /** A name, distinct for each source. */
  ofSource(name: string): string {
    return this.source === '' ? name : `${this.source}:${name}`;
  }

  log(name: string): string {
    return `${this.root}:a:{${name}}`;
  }

  /** The prefixes that client tracking covers: entries, leases, notices of tags, the ledger. */
  get trackedPrefixes(): readonly string[] {
    return [this.entryPrefix, this.leasePrefix, this.tagNoticePrefix, this.ledger];
  }

  /** The cache key or the tag of a Redis key, or undefined for another shape. */
  parse(redisKey: string): { readonly kind: 'entry' | 'lease' | 'tag'; readonly key: string } | undefined {
    if (redisKey.startsWith(this.leasePrefix)) {
      const end = redisKey.indexOf('}', this.leasePrefix.length);
      return end < 0 ? undefined : { kind: 'lease', key: redisKey.slice(this.leasePrefix.length, end) };
    }
    if (!redisKey.endsWith('}')) return undefined;
    if (redisKey.startsWith(this.entryPrefix))
      return { kind: 'entry', key: redisKey.slice(this.entryPrefix.length, -1) };
    if (redisKey.startsWith(this.tagNoticePrefix))
      return { kind: 'tag', key: redisKey.slice(this.tagNoticePrefix.length, -1) };
    return undefined;
  }

  /**
   * SCAN patterns of the entries and leases whose cache key may begin with the prefix: taken literally, up to the length at which keys are
   * hashed, and up to the end of a resource's key. `hasPrefix` decides about the keys found.
   */
  scanByPrefix(prefix: string): { readonly entries: string; readonly leases: string } {
    const [resource = ''] = prefix.split('|', 1);
    const literal = escapeGlob(resource.slice(0, READABLE_OF_HASHED));
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
