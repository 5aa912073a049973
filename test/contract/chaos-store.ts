import type { CacheStore } from '../../src/cache/store/cache-store';

/** What a call to the store below goes through: awaited before it, so that it may delay or throw. */
export type Disturbance = (operation: string) => Promise<void>;

/** Lets every operation of a store wait for a random number of turns: what the contract promises must not hang on order. */
export function randomTurns(random: () => number): Disturbance {
  return async () => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  };
}

/** Operations that cannot wait, or that wait themselves. */
const UNDISTURBED: ReadonlySet<string | symbol> = new Set(['peek', 'change', 'onChange', 'close']);

/** A store in front of another that disturbs each of its operations; for tests of stores and of what stands on them. */
export function chaosStore(below: CacheStore, disturb: Disturbance): CacheStore {
  const disturbed = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (name === 'shared' || name === 'listing') return disturbed(member as object);
        if (typeof member !== 'function') return member;
        const call = member.bind(target) as (...args: readonly unknown[]) => unknown;
        if (UNDISTURBED.has(name)) return call;
        return async (...args: readonly unknown[]) => {
          await disturb(String(name));
          return call(...args);
        };
      },
    });
  return disturbed(below);
}
