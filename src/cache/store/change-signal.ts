import type { StoreChange } from './cache-store';

/** Notifies listeners of changes and wakes the waiters of a key. */
export class ChangeSignal {
  private readonly listeners: ((change: StoreChange) => void)[] = [];
  private readonly waiting = new Map<string, Set<() => void>>();

  onChange(listener: (change: StoreChange) => void): void {
    this.listeners.push(listener);
  }

  emit(change: StoreChange): void {
    for (const listener of this.listeners) listener(change);
    if (change.kind === 'key' || change.kind === 'lease') this.wake(change.key);
    else if (change.kind === 'everything') for (const key of [...this.waiting.keys()]) this.wake(key);
  }

  /** Settles at the next change of the key, or after `timeoutMs`. */
  next(key: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        const waiting = this.waiting.get(key);
        waiting?.delete(wake);
        if (waiting?.size === 0) this.waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      const waiting = this.waiting.get(key);
      if (waiting) waiting.add(wake);
      else this.waiting.set(key, new Set([wake]));
    });
  }

  private wake(key: string): void {
    const waiting = this.waiting.get(key);
    this.waiting.delete(key);
    if (waiting) for (const wake of waiting) wake();
  }
}
