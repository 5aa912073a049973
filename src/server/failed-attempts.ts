import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CacheStore } from '../cache';
import { Clock } from '../kernel/clock';
import { networkOf } from '../kernel/network';

const MAX_FAILURES = 20;
const WINDOW_MS = 60_000;
const MAX_CONFLICTS = 5;
export interface FailedAttemptsOptions {
  /** The group of shared values in the store. Example: `admin-attempts` */
  readonly group: string;
  /** The name of the counted attempts, in the plural, for the log. Example: `wrong admin tokens` */
  readonly what: string;
}

interface Window {
  readonly endsAt: number;
  readonly count: number;
}

/**
 * Counts wrong tokens or signatures by the client's address (`TRUST_PROXY`), in IPv6 by its `/64`, over all replicas: after 20 within a minute
 * further ones get 429 for the rest of it. Each process counts for itself as well, so that the limit holds while the store is down, then in
 * each process.
 *
 * It is asked only once a request has been found wrong: a right one is never refused, even if other clients have the same address.
 */
export class FailedAttempts {
  private readonly windows = new LRUCache<string, Window>({ maxSize: 10_000, sizeCalculation: () => 1 }); // `max` would allocate all of it now
  private readonly logger = new Logger('FailedAttempts');
  private warnedAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly store: CacheStore,
    private readonly options: FailedAttemptsOptions,
  ) {}

  /**
   * For a request without the right proof.
   *
   * @param isGuess whether it has a wrong token or signature, which counts; without any it does not
   * @returns how long the address must wait, in milliseconds; 0 for not at all
   */
  async register(address: string, isGuess: boolean): Promise<number> {
    const network = networkOf(address);
    const now = this.clock.now();
    const own = current(this.windows.get(network), now);
    if (own.count >= MAX_FAILURES) return own.endsAt - now;
    // Before the store is asked: the limit also holds for a thousand concurrent guesses.
    if (isGuess) this.windows.set(network, { ...own, count: own.count + 1 });
    const before = await this.countShared(network, isGuess).catch(() => this.warn());
    if (!before || before.count < MAX_FAILURES) return 0;
    this.windows.set(network, before);
    return Math.max(1, before.endsAt - this.clock.now());
  }

  /** The window of all replicas before this request. */
  private async countShared(network: string, isGuess: boolean): Promise<Window | undefined> {
    const name = bucketOf(network);
    let seen = await this.store.shared.read(this.options.group, name);
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const window = current(parse(seen), this.clock.now());
      if (!isGuess || window.count >= MAX_FAILURES) return window;
      const text = `${window.endsAt} ${window.count + 1}`;
      const result = await this.store.shared.compareAndSet(this.options.group, name, seen, text, WINDOW_MS);
      if (result.kind === 'stored') return window;
      seen = result.text;
    }
    return undefined; // so many at once that this process's own count decides
  }

  private warn(): undefined {
    const now = this.clock.now();
    if (now - this.warnedAt < WINDOW_MS) return;
    this.warnedAt = now;
    this.logger.warn(`The store is down: ${this.options.what} are counted in each process alone.`);
  }
}

/**
 * One of 4,096, so that no number of addresses fills the store. An address that shares one with a guesser gets 429 for wrong ones instead
 * of 401; the right one is never counted.
 */
function bucketOf(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 3);
}

/** A new window where there is none or it has ended; another replica's clock never makes it longer. */
function current(window: Window | undefined, now: number): Window {
  if (!window || window.endsAt <= now) return { endsAt: now + WINDOW_MS, count: 0 };
  return { ...window, endsAt: Math.min(window.endsAt, now + WINDOW_MS) };
}

function parse(text: string | undefined): Window | undefined {
  const [endsAt = NaN, count = NaN] = (text ?? '').split(' ').map(Number);
  return Number.isFinite(endsAt) && Number.isFinite(count) ? { endsAt, count } : undefined;
}
