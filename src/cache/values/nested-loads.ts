import { AsyncLocalStorage } from 'node:async_hooks';

/** A load that code runs within, and the one that it was called from. */
interface Loading {
  readonly key: string;
  readonly outer: Loading | undefined;
  /** Timers and connections that it has left behind keep its context. */
  isOver: boolean;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * Which loads run within others, and which wait for which.
 *
 * A load that asks for its own key again (a method that calls the one that it overrides, an update that returns what `find` returns) would wait
 * for itself. So would one of two loads that ask for each other's keys:
 *
 *   1. the load of A begins, and waits for B, whose load another call has begun
 *   2. the load of B asks for A: it would wait for A, which waits for B
 */
export class NestedLoads {
  /** Loads and updates alone enter it: before the first one it costs nothing. */
  private readonly loading = new AsyncLocalStorage<Loading>();
  /** The keys that loads under way wait for, by the keys of the load and of those that it was called from. */
  private readonly waits = new Map<string, string[]>();

  /** The keys of the loads that the code runs within. */
  keys(): ReadonlySet<string> {
    let at = this.loading.getStore();
    if (!at) return NO_KEYS;
    const keys = new Set<string>();
    for (; at; at = at.outer) if (!at.isOver) keys.add(at.key);
    return keys;
  }

  /** Whether a load of the key would end only after one of the others. */
  waitsForAny(key: string, others: ReadonlySet<string>): boolean {
    if (others.size === 0) return false;
    const reached = new Set([key]);
    for (const one of reached) {
      if (others.has(one)) return true;
      for (const next of this.waits.get(one) ?? []) reached.add(next);
    }
    return false;
  }

  /** Notes, until the answer is there, that the loads of the given keys wait for the load of another. */
  async waiting<T>(keys: ReadonlySet<string>, key: string, answering: Promise<T>): Promise<T> {
    for (const one of keys) this.waits.set(one, [...(this.waits.get(one) ?? []), key]);
    try {
      return await answering;
    } finally {
      for (const one of keys) {
        const left = [...(this.waits.get(one) ?? [])];
        left.splice(left.indexOf(key), 1);
        if (left.length > 0) this.waits.set(one, left);
        else this.waits.delete(one);
      }
    }
  }

  /** Runs the load of a key: what it calls runs within it. */
  async run<T>(key: string, load: () => T | Promise<T>): Promise<T> {
    const own: Loading = { key, outer: this.loading.getStore(), isOver: false };
    try {
      return await this.loading.run(own, load);
    } finally {
      own.isOver = true;
    }
  }
}
