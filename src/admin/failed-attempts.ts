import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../kernel/at-most';
import { Clock } from '../kernel/clock';

const ALLOWED = 20;
const WINDOW_MS = 60_000;

interface Window {
  readonly endsAt: number;
  count: number;
}

/** Counts wrong tokens by the client's address (`TRUST_PROXY`): after 20 within a minute further ones get 429 for the rest of it. */
@Injectable()
export class FailedAttempts {
  private readonly windows = new LRUCache<string, Window>(atMost(10_000));

  constructor(private readonly clock: Clock) {}

  note(address: string): void {
    const now = this.clock.now();
    const window = this.windows.get(address);
    if (window && window.endsAt > now) window.count += 1;
    else this.windows.set(address, { endsAt: now + WINDOW_MS, count: 1 });
  }

  waitMs(address: string): number {
    const window = this.windows.get(address);
    if (!window || window.count < ALLOWED) return 0;
    return Math.max(0, window.endsAt - this.clock.now());
  }
}
