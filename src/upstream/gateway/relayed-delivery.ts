import { PreparedAnswer, type CacheEntry, type FlatFields, type Found, type HeaderList } from '../../cache';
import { edgeFieldsBeside, fieldsOfCache, keptOfNotModified } from './gateway-fields';

/** What is stored of an upstream's answer as the gateway sends it: the upstream's own fields and body, and what the cache says. */
export class RelayedDelivery extends PreparedAnswer<Found> {
  /**
   * @param kept the stored fields, with the URLs in them rewritten, without `Content-Length`
   * @param base what they were rewritten to; undefined where there are none
   */
  constructor(
    entry: CacheEntry,
    body: Buffer,
    kept: HeaderList,
    readonly base: string | undefined,
    private readonly key: string,
  ) {
    super(entry, body, kept, keptOfNotModified(kept));
  }

  protected fieldsOf({ entry, tier }: Found, now: number): FlatFields {
    return fieldsOfCache({ kind: 'stored', entry, outcome: 'HIT', tier }, this.key, now);
  }

  protected override edgeFields(edge: FlatFields, kept: HeaderList): FlatFields {
    return edgeFieldsBeside(kept, edge);
  }
}
