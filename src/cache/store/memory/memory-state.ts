import { LRUCache } from 'lru-cache';
import { atMost } from '../../../kernel/at-most';
import {
  MAX_LOG_LINES,
  MAX_SHARED_VALUE_TTL_MS,
  type CompareAndSetResult,
  type SharedState,
  type SharedValue,
} from '../cache-store';

const MAX_CLAIMS = 100_000;
const MAX_VALUES = 10_000;

/** Claims, short texts and logs of one process. */
export class MemoryState implements SharedState {
  private readonly claims = new LRUCache<string, true>(atMost(MAX_CLAIMS));
  private readonly values = new LRUCache<string, string>(atMost(MAX_VALUES));
  private readonly logs = new Map<string, readonly string[]>();

  claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    const isFree = mode === 'renew' || !this.claims.has(name);
    if (isFree) this.claims.set(name, true, { ttl: ttlMs });
    return Promise.resolve(isFree);
  }

  isClaimed(name: string): Promise<boolean> {
    return Promise.resolve(this.claims.has(name));
  }

  compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    const key = `${group}\n${name}`;
    const there = this.values.get(key);
    if (there !== seen) return Promise.resolve({ kind: 'conflict', text: there });
    this.values.set(key, text, { ttl: Math.max(1, Math.min(ttlMs, MAX_SHARED_VALUE_TTL_MS)) });
    return Promise.resolve({ kind: 'stored' });
  }

  read(group: string, name: string): Promise<string | undefined> {
    return Promise.resolve(this.values.get(`${group}\n${name}`));
  }

  readAll(group: string): Promise<readonly SharedValue[]> {
    const front = `${group}\n`;
    const all = [...this.values.entries()].filter(([key]) => key.startsWith(front));
    return Promise.resolve(all.map(([key, text]) => [key.slice(front.length), text] as const));
  }

  appendToLog(log: string, line: string): Promise<void> {
    this.logs.set(log, [line, ...(this.logs.get(log) ?? [])].slice(0, MAX_LOG_LINES));
    return Promise.resolve();
  }

  readLog(log: string, limit: number): Promise<readonly string[]> {
    return Promise.resolve((this.logs.get(log) ?? []).slice(0, limit));
  }
}
