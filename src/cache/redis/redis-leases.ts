import type { RedisReply } from '../../redis/redis-link';
import {
  StoreUnavailableError,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LoadFailure,
} from '../core/cache-store';
import { FAILURE_MEMORY_MS } from '../core/lease-table';
import { refusalIn, type RedisCommands } from './redis-commands';
import type { LedgerState, PurgeLedger } from './purge-ledger';
import type { RedisKeys } from './redis-keys';
import { ACQUIRE, FAIL, FIND_OR_ACQUIRE, IS_STANDING, RELEASE, RENEW, type Script } from './scripts';

type LeaseName = Pick<LeaseRequest, 'key' | 'selection' | 'token'>;

/**
 * Leases in Redis, which has them until they are given back or end by themselves.
 *
 * A link that breaks may take a grant or a giving back with it, and leave a lease that nobody uses in the way of all who ask
 * for the key. Such *lost* leases are given back as soon as the link is there again.
 */
export class RedisLeases {
  /** By token. As many as commands were under way when the link broke. */
  private readonly lost = new Map<string, LeaseName>();

  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly ledger: PurgeLedger,
  ) {}

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const [state, reply] = await this.askOwn(ACQUIRE, request, []);
    return leaseAnswer(request, state, reply);
  }

  /** The value that is there, found or without its bookkeeping, or the lease. */
  async findOrAcquire(
    request: LeaseRequest,
  ): Promise<{ readonly value: RedisReply; readonly isLost: boolean } | { readonly lease: LeaseAnswer }> {
    const checking = this.commands.spansSlots ? [this.keys.tagIndexPrefix] : [];
    const [state, reply] = await this.askOwn(FIND_OR_ACQUIRE, request, checking);
    const [kind, value = ''] = reply;
    if (String(kind) === 'found') return { value, isLost: false };
    if (String(kind) === 'lost') return { value, isLost: true };
    return { lease: leaseAnswer(request, state, reply) };
  }

  async renew({ key, selection, token }: Lease, leaseMs: number): Promise<void> {
    await this.commands.run(RENEW, [this.keys.lease(key, selection)], [token, leaseMs]);
  }

  async release(lease: LeaseName): Promise<void> {
    const { key, selection, token } = lease;
    await this.orLost(lease, this.commands.run(RELEASE, [this.keys.lease(key, selection)], [token]));
  }

  async isStanding(lease: Lease): Promise<boolean> {
    const { key, selection, token, tags } = lease;
    const isHeld = await this.commands.run(IS_STANDING, [this.keys.lease(key, selection)], [token]);
    if (isHeld !== 1) return false;
    return this.ledger.isUnpurged(lease, [`k:${key}`, ...tags.map((tag) => `t:${tag}`)]);
  }

  async fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    const keepMs = Math.round(pauseMs + FAILURE_MEMORY_MS);
    const text = JSON.stringify({ ...failure, source: this.keys.source });
    const args = [lease.token, lease.failures + 1, text, keepMs];
    await this.orLost(lease, this.commands.run(FAIL, [this.keys.lease(lease.key, lease.selection)], args));
  }

  /** For when the link is there again. Those for which it breaks anew stay lost. */
  async giveBackLost(): Promise<void> {
    const lost = [...this.lost.values()];
    this.lost.clear();
    await Promise.allSettled(lost.map((lease) => this.release(lease)));
  }

  /** What another source failed with is no answer here: it is removed. */
  private async askOwn(
    script: Script,
    request: LeaseRequest,
    checking: readonly string[],
  ): Promise<[state: LedgerState, reply: readonly RedisReply[]]> {
    const answer = await this.ask(script, request, checking);
    if (!isFailureOfAnother(answer[1], this.keys.source)) return answer;
    const key = this.keys.lease(request.key, request.selection);
    await this.commands.send(key, ['UNLINK', key]);
    return this.ask(script, request, checking);
  }

  private ask(
    script: Script,
    request: LeaseRequest,
    checking: readonly string[],
  ): Promise<[state: LedgerState, reply: readonly RedisReply[]]> {
    const { key, selection, token, seenId, leaseMs, waitedFor = '', indexMark = 0 } = request;
    const args = [token, leaseMs, seenId, FAILURE_MEMORY_MS, waitedFor, indexMark, key];
    return this.orLost(
      request,
      this.grant(script, [this.keys.lease(key, selection), this.keys.entry(key)], [args, checking]),
    );
  }

  /** The reply, and the ledger's state before a load begins, which may be of another node: a later invalidation refuses its fill. */
  private async grant(
    script: Script,
    keys: [lease: string, entry: string],
    [args, checking]: readonly [(string | number)[], readonly string[]],
  ): Promise<[state: LedgerState, reply: readonly RedisReply[]]> {
    const asked = this.ledger.state;
    const all = [...args, ...checking];
    const atOnce = await this.commands.runAcross(script, [...keys, this.keys.ledger], all);
    if (atOnce !== undefined) {
      const items = atOnce as readonly RedisReply[];
      return [await this.ledger.accept(asked, items), items.slice(3)];
    }
    const [state, reply] = await Promise.all([this.ledger.read(), this.commands.run(script, keys, args)]);
    return [state, (reply as readonly RedisReply[]).slice(3)];
  }

  private async orLost<T>({ key, selection, token }: LeaseName, reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      // Who refuses has done nothing.
      if (error instanceof StoreUnavailableError && !refusalIn(error)) this.lost.set(token, { key, selection, token });
      throw error;
    }
  }
}

function isFailureOfAnother(reply: readonly RedisReply[], source: string): boolean {
  const [kind, , failure] = reply;
  if (String(kind) !== 'failed' || failure === undefined) return false;
  try {
    const { source: theirs = '' } = JSON.parse(String(failure)) as { readonly source?: unknown };
    return theirs !== source;
  } catch {
    return false; // not ours: taken for a failure without a reason
  }
}

function leaseAnswer(request: LeaseRequest, state: LedgerState, reply: readonly RedisReply[]): LeaseAnswer {
  const { key, selection, token, seenId: baseId, tags } = request;
  const { sequence, ledger } = state;
  const [kind, detail = '', failure = '{}'] = reply.map(String);
  if (kind === 'held') return { kind, holder: detail };
  if (kind === 'failed') return { kind, failure: parseFailure(failure), remainingMs: Number(detail) };
  if (kind !== 'granted') return { kind: 'changed' };
  const lease = { key, token, baseId, sequence, ledger, failures: Number(detail), tags, scope: 'shared' } as const;
  return { kind, lease: selection === undefined ? lease : { ...lease, selection } };
}

function parseFailure(text: string): LoadFailure {
  try {
    const { code, message, retryAfterMs, status, body } = JSON.parse(text) as Record<string, unknown>;
    const wait = typeof retryAfterMs === 'number' ? { retryAfterMs } : {};
    const own = typeof status === 'number' && typeof body === 'string' ? { status, body } : {};
    if (typeof code === 'string' && typeof message === 'string') return { code, message, ...wait, ...own };
  } catch {
    // not ours: the failure below says as much
  }
  return { code: 'internal', message: 'A load failed on another replica, which left no reason.' };
}
