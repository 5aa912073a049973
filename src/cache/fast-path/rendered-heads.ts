import type { HeaderList } from '../model/cache-entry';
import type { CacheTier } from '../model/cache-outcome';

/** As many responses keep their head: about 1 MB. The heads of all that are stored would take more than their bodies. */
const MAX_HEADS = 512;

/** For a response whose head was never rendered. */
export const NEVER_RENDERED = -1;

/** None rendered yet. */
export const NO_FRONTS = { whole: undefined, part: undefined, 'not-modified': undefined } as const;

/** The texts of a response's head, and what they were rendered for. */
export class RenderedHead {
  number = NEVER_RENDERED;
  /** The times of the entry that it shows. */
  storedAt = 0;
  freshUntil = 0;
  /** When another `Age`, `ttl` or `Date` is due. */
  validUntil = 0;
  keepAliveMs = 0;
  revision = 0;
  tier: CacheTier = 'l1';
  stored: HeaderList = [];
  tail = '';
  tailOfWhole: string | undefined;
  /** Up to the request's own fields, by the form of the response. */
  fronts: Record<'whole' | 'part' | 'not-modified', string | undefined> = NO_FRONTS;
}

/**
 * The heads of the responses that were sent last: each is valid for a second, because it contains `Age` and `Date`.
 *
 * A response knows the number of its head, and not the head: so neither keeps the other alive, and the head with the same number is
 * certainly its own, because no number is given twice.
 */
class RenderedHeads {
  private readonly heads: RenderedHead[] = [];
  private last = NEVER_RENDERED;

  /** The head with the number; undefined once another response has taken its place. */
  find(number: number): RenderedHead | undefined {
    const head = number === NEVER_RENDERED ? undefined : this.heads[number % MAX_HEADS];
    return head?.number === number ? head : undefined;
  }

  /** A head under a new number, in place of the oldest; its texts are still those of another response. */
  claim(): RenderedHead {
    this.last += 1;
    const head = (this.heads[this.last % MAX_HEADS] ??= new RenderedHead());
    head.number = this.last;
    return head;
  }
}

export const renderedHeads = new RenderedHeads();
