/**
 * The lost bookkeeping in Redis: an entry's place in the `index` of one of its tags, the `ledger` of invalidations, or the `history` of
 * the data, which went back to an older state.
 */
export type Bookkeeping = 'index' | 'ledger' | 'history';

/** Counts the lost bookkeeping found by this process, for metrics. No wrong response was served: the entries concerned count as misses. */
export class LostBookkeeping {
  private readonly lost: Record<Bookkeeping, number> = { index: 0, ledger: 0, history: 0 };

  get counts(): Readonly<Record<Bookkeeping, number>> {
    return this.lost;
  }

  add(what: Bookkeeping): void {
    this.lost[what] += 1;
  }
}
