import type { InvalidationMode, InvalidationTarget } from '../cache-store';

const MOST = 10_000;
const EVERYTHING: InvalidationTarget = { kind: 'prefix', prefix: '' };

/**
 * Invalidations that Redis did not confirm. They are repeated before anything is read from Redis again: their callers got an error, and
 * may be gone.
 *
 * Bounded: if too many different ones are pending, everything counts as overdue.
 */
export class OverdueInvalidations {
  private readonly targets = new Map<string, readonly [InvalidationTarget, InvalidationMode]>();

  get isEmpty(): boolean {
    return this.targets.size === 0;
  }

  add(target: InvalidationTarget, mode: InvalidationMode): void {
    if (this.targets.size >= MOST) {
      this.targets.clear();
      this.targets.set('', [EVERYTHING, 'purge']);
    }
    const name = `${target.kind} ${valueOf(target)}`;
    // a purge is not replaced by a soft purge
    if (!this.targets.has('') && this.targets.get(name)?.[1] !== 'purge') this.targets.set(name, [target, mode]);
  }

  /** Repeats all of them, including those that arrive during it. Rejects with the first failure, which stays overdue. */
  async flush(invalidate: (target: InvalidationTarget, mode: InvalidationMode) => Promise<unknown>): Promise<number> {
    let settled = 0;
    for (const [name, overdue] of this.targets) {
      await invalidate(...overdue);
      if (this.targets.get(name) === overdue) this.targets.delete(name);
      settled += 1;
    }
    return settled;
  }
}

function valueOf(target: InvalidationTarget): string {
  switch (target.kind) {
    case 'key':
      return target.key;
    case 'tag':
      return target.tag;
    case 'prefix':
      return target.prefix;
  }
}
