import { PreparedAnswer, type CacheEntry, type FlatFields, type HeaderList } from '../../cache';
import { edgeFieldsBeside, fieldsOfCache, keptOfNotModified } from './gateway-fields';

/** A fresh hit in memory. */
export interface RelayedHit {
  readonly entry: CacheEntry;
  readonly tier: 'l1';
}

/** What is stored of an upstream's answer as the gateway sends it: the upstream's own fields and body, and what the cache says. */
export class RelayedDelivery extends PreparedAnswer<RelayedHit> {
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

  protected fieldsOf({ entry, tier }: RelayedHit, now: number): FlatFields {
    return fieldsOfCache({ kind: 'stored', entry, outcome: 'HIT', tier }, this.key, now);
  }

  protected override edgeFields(edge: FlatFields, kept: HeaderList): FlatFields {
    return edgeFieldsBeside(kept, edge);
  }
}
