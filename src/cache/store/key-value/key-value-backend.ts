import type { Clock } from '../../../kernel/clock';
import { StoreUnavailableError } from '../cache-store';
import { within } from '../../engine/within';
import { AppError } from '../../../kernel/app-error';

/** The duties of a store of one's own: keep texts under names, for a time or without end. */
export interface KeyValueBackend {
  get(name: string): Promise<unknown>;
  /** @param ttlMs undefined for without end */
  set(name: string, text: string, ttlMs: number | undefined): Promise<unknown>;
  delete(name: string): Promise<unknown>;
  close?(): Promise<unknown>;
}

/** A store as Keyv, its adapters, cache-manager 5 to 7 and `Map` have it. */
export interface ForeignStore {
  get(name: string): unknown;
  set(name: string, value: string, ttlMs?: number): unknown;
  delete?(name: string): unknown;
  del?(name: string): unknown;
  disconnect?(): unknown;
  on?(event: 'error', listener: (error: unknown) => void): unknown;
}

/** How long a backend that has failed is not asked, in milliseconds. */
const REST_MS = 1_000;

/** @throws TypeError for a value that is no such store */
export function backendOf(store: ForeignStore, onError: (problem: string) => void): KeyValueBackend {
  const remove = store.delete?.bind(store) ?? store.del?.bind(store);
  if (typeof store.get !== 'function' || typeof store.set !== 'function' || !remove)
    throw new TypeError(
      'The store has no get, set and delete (or del): give a Keyv, one of its adapters, or a store of cache-manager.',
    );
  // Without a listener an error event ends the process.
  store.on?.('error', (error) => onError(error instanceof Error ? error.message : String(error)));
  const later = <T>(call: () => T): Promise<Awaited<T>> => Promise.resolve().then(call) as Promise<Awaited<T>>;
  return {
    get: (name) => later(() => store.get(name)),
    set: (name, text, ttlMs) =>
      later(() => (ttlMs === undefined ? store.set(name, text) : store.set(name, text, ttlMs))),
    delete: (name) => later(() => remove(name)),
    close: () => later(() => store.disconnect?.()),
  };
}

/**
 * A backend that answers in time or is unavailable: one that hangs or fails is left alone for a second.
 *
 * Its one invariant: every failure is a `StoreUnavailableError`.
 */
export class GuardedBackend implements KeyValueBackend {
  private restsUntil = 0;
  private problem: string | undefined;

  constructor(
    private readonly backend: KeyValueBackend,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
    private readonly onTransition: (problem: string | undefined) => void,
  ) {}

  get(name: string): Promise<unknown> {
    return this.guarded(() => this.backend.get(name));
  }

  set(name: string, text: string, ttlMs: number | undefined): Promise<unknown> {
    return this.guarded(() => this.backend.set(name, text, ttlMs));
  }

  delete(name: string): Promise<unknown> {
    return this.guarded(() => this.backend.delete(name));
  }

  async close(): Promise<void> {
    await this.backend.close?.();
  }

  private async guarded<T>(call: () => Promise<T>): Promise<T> {
    if (this.clock.now() < this.restsUntil) throw new StoreUnavailableError(this.problem ?? 'it failed');
    try {
      const result = await within(call(), this.timeoutMs, (ms) => new AppError('internal', `no reply within ${ms} ms`));
      if (this.problem !== undefined) this.onTransition(undefined);
      this.problem = undefined;
      return result;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (this.problem === undefined) this.onTransition(problem);
      this.problem = problem;
      this.restsUntil = this.clock.now() + REST_MS;
      throw new StoreUnavailableError(problem, { cause: error });
    }
  }
}
