import type { Clock } from '../../../kernel/clock';
import { StoreUnavailableError } from '../cache-store';
import { within } from '../../../kernel/within';
import { AppError } from '../../../kernel/app-error';

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

export interface BackendOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Called with the problem when it begins, and without one when the store replies again. */
  readonly onTransition: (problem: string | undefined) => void;
  /** Called for an error event of the store's own. */
  readonly onError: (problem: string) => void;
}

/**
 * A foreign store that answers in time or is unavailable: one that hangs or fails is left alone for a second.
 *
 * Its one invariant: every failure is a `StoreUnavailableError`.
 */
export class KeyValueBackend {
  private restsUntil = 0;
  private problem: string | undefined;
  private readonly remove: (name: string) => unknown;

  /** @throws TypeError for a value that is no such store */
  constructor(
    private readonly store: ForeignStore,
    private readonly options: BackendOptions,
  ) {
    const remove = store.delete?.bind(store) ?? store.del?.bind(store);
    if (typeof store.get !== 'function' || typeof store.set !== 'function' || !remove)
      throw new TypeError(
        'The store has no get, set and delete (or del): give a Keyv, one of its adapters, or a store of cache-manager.',
      );
    this.remove = remove;
    // Without a listener an error event ends the process.
    store.on?.('error', (error) => options.onError(messageOf(error)));
  }

  get(name: string): Promise<unknown> {
    return this.guarded(() => this.store.get(name));
  }

  /** @param ttlMs undefined for without end */
  set(name: string, text: string, ttlMs: number | undefined): Promise<unknown> {
    return this.guarded(() => (ttlMs === undefined ? this.store.set(name, text) : this.store.set(name, text, ttlMs)));
  }

  delete(name: string): Promise<unknown> {
    return this.guarded(() => this.remove(name));
  }

  async close(): Promise<void> {
    await this.store.disconnect?.();
  }

  private async guarded(call: () => unknown): Promise<unknown> {
    const { clock, timeoutMs, onTransition } = this.options;
    if (clock.now() < this.restsUntil) throw new StoreUnavailableError(this.problem ?? 'it failed');
    try {
      const reply = Promise.resolve().then(call);
      const result = await within(reply, timeoutMs, (ms) => new AppError('internal', `no reply within ${ms} ms`));
      if (this.problem !== undefined) onTransition(undefined);
      this.problem = undefined;
      return result;
    } catch (error) {
      const problem = messageOf(error);
      if (this.problem === undefined) onTransition(problem);
      this.problem = problem;
      this.restsUntil = clock.now() + REST_MS;
      throw new StoreUnavailableError(problem, { cause: error });
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
