import type { CacheEntry } from '../../model/cache-entry';
import {
  SharedStore,
  type EntryCount,
  StoreUnavailableError,
  type Found,
  type FoundOrLease,
  type InvalidationMode,
  type InvalidationTarget,
  type InvalidationTargets,
  type KeyPage,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LinkedEntry,
  type ListedEntry,
  type LoadFailure,
  type SharedValue,
  type CompareAndSetResult,
  type StoreChange,
} from '../cache-store';
import { ChangeSignal } from '../change-signal';
import { PING_MS, TRUST_MS, type RemoteOperation, type StoreMessage, type StorePort } from './store-messages';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * The store that another process of this machine keeps for all workers of the service. It counts as coherent while that process answers
 * the pings: a worker that was suspended asks the process before it uses a copy. A worker that loses the connection ends.
 */
export class IpcStore extends SharedStore {
  private readonly changes = new ChangeSignal();
  private readonly waiting = new Map<number, Waiting>();
  private calls = 0;
  private isOpen = true;
  /** When the last answered ping was sent (`performance.now()`): every message posted before it has arrived. */
  private syncedUntil = -Infinity;
  private readonly pings: NodeJS.Timeout;

  constructor(
    private readonly port: StorePort,
    private readonly timeoutMs: number,
  ) {
    super();
    port.onMessage((message) => this.receive(message));
    port.onClose(() => this.end());
    this.pings = setInterval(() => this.ping(), PING_MS).unref();
    this.ping();
  }

  get isCoherent(): boolean {
    return this.isOpen && performance.now() - this.syncedUntil < TRUST_MS;
  }

  peek(): undefined {
    return undefined;
  }

  async find(key: string): Promise<Found | undefined> {
    const found = (await this.call('find', [key])) as Found | undefined;
    return found && { entry: found.entry, tier: 'l2' };
  }

  async findOrAcquire(request: LeaseRequest): Promise<FoundOrLease> {
    const found = await this.find(request.key);
    return found ? { found } : { lease: await this.acquire(request) };
  }

  acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    return this.call('acquire', [request]) as Promise<LeaseAnswer>;
  }

  async renew(lease: Lease, leaseMs: number): Promise<void> {
    await this.call('renew', [lease, leaseMs]);
  }

  fill(lease: Lease, entry: CacheEntry, linked?: LinkedEntry): Promise<boolean> {
    return this.call('fill', [lease, entry, linked]) as Promise<boolean>;
  }

  isStanding(lease: Lease): Promise<boolean> {
    return this.call('isStanding', [lease]) as Promise<boolean>;
  }

  freshen(lease: Lease, entry: CacheEntry): Promise<boolean> {
    return this.call('freshen', [lease, entry]) as Promise<boolean>;
  }

  async release(lease: Lease): Promise<void> {
    await this.call('release', [lease]);
  }

  async fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    await this.call('fail', [lease, failure, pauseMs]);
  }

  /** Waits in the host, where leases end; if the change precedes the call, the time-out ends the wait. */
  async change(key: string, timeoutMs: number): Promise<void> {
    await Promise.race([this.changes.next(key, timeoutMs), this.call('change', [key, timeoutMs]).catch(ignoreFailure)]);
  }

  async put(key: string, entry: CacheEntry): Promise<void> {
    await this.call('put', [key, entry]);
  }

  invalidate(targets: InvalidationTargets, mode: InvalidationMode): Promise<number> {
    return this.call('invalidate', [targets, mode]) as Promise<number>;
  }

  claim(name: string, ttlMs: number, mode?: 'renew'): Promise<boolean> {
    return this.call('claim', mode === undefined ? [name, ttlMs] : [name, ttlMs, mode]) as Promise<boolean>;
  }

  isClaimed(name: string): Promise<boolean> {
    return this.call('isClaimed', [name]) as Promise<boolean>;
  }

  compareAndSet(
    group: string,
    name: string,
    seen: string | undefined,
    text: string,
    ttlMs: number,
  ): Promise<CompareAndSetResult> {
    return this.call('compareAndSet', [group, name, seen, text, ttlMs]) as Promise<CompareAndSetResult>;
  }

  readNote(group: string, name: string): Promise<string | undefined> {
    return this.call('readNote', [group, name]) as Promise<string | undefined>;
  }

  sharedValues(group: string): Promise<readonly SharedValue[]> {
    return this.call('sharedValues', [group]) as Promise<readonly SharedValue[]>;
  }

  inspect(key: string): Promise<ListedEntry | undefined> {
    return this.call('inspect', [key]) as Promise<ListedEntry | undefined>;
  }

  list(match: string, cursor: string | undefined, limit: number, tag?: string): Promise<KeyPage> {
    return this.call('list', [match, cursor, limit, tag]) as Promise<KeyPage>;
  }

  count(target: InvalidationTarget): Promise<EntryCount> {
    return this.call('count', [target]) as Promise<EntryCount>;
  }

  async appendToLog(log: string, line: string): Promise<void> {
    await this.call('appendToLog', [log, line]);
  }

  readLog(log: string, limit: number): Promise<readonly string[]> {
    return this.call('readLog', [log, limit]) as Promise<readonly string[]>;
  }

  onChange(listener: (change: StoreChange) => void): void {
    this.changes.onChange(listener);
  }

  close(): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  private call(operation: RemoteOperation, args: Extract<StoreMessage, { store: 'call' }>['args']): Promise<unknown> {
    if (!this.isOpen) return Promise.reject(new StoreUnavailableError('the line to the primary process is closed'));
    const id = ++this.calls;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new StoreUnavailableError(`the primary process did not answer within ${this.timeoutMs} ms`));
      }, this.timeoutMs);
      this.waiting.set(id, { resolve, reject, timer });
      this.port.post({ store: 'call', id, operation, args });
    });
  }

  private ping(): void {
    this.port.post({ store: 'ping', sentAt: performance.now() });
  }

  private receive(message: StoreMessage): void {
    if (message.store === 'change') this.changes.emit(message.change);
    if (message.store === 'pong') this.syncedUntil = message.sentAt;
    if (message.store === 'sync') this.port.post({ store: 'ack', id: message.id });
    if (message.store !== 'result') return;
    const waiting = this.waiting.get(message.id);
    if (!waiting) {
      this.giveBackLate(message.value);
      return;
    }
    this.waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.failure === undefined) waiting.resolve(message.value);
    else waiting.reject(new StoreUnavailableError(message.failure));
  }

  /** A lease that arrived after its caller stopped waiting. */
  private giveBackLate(value: unknown): void {
    const answer = value as Partial<LeaseAnswer> | undefined;
    if (answer?.kind === 'granted' && answer.lease) this.release(answer.lease).catch(ignoreFailure);
  }

  private end(): void {
    this.isOpen = false;
    clearInterval(this.pings);
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new StoreUnavailableError('the line to the primary process is closed'));
    }
    this.waiting.clear();
  }
}

function ignoreFailure(error: unknown): void {
  if (!(error instanceof StoreUnavailableError)) throw error; // the time-out linked it wakes the caller
}
