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
import type { RedisInvalidation } from './redis-invalidation';
import type { RedisKeys } from './redis-keys';
import { ACQUIRE, FAIL, FIND_OR_ACQUIRE, RELEASE, RENEW, type Script } from './scripts';

/**
 * Leases in Redis, which has them until they are given back or end by themselves.
 *
 * A link that breaks may take a grant or a giving back with it, and leave a lease that nobody uses in the way of all who ask
 * for the key. Such *lost* leases are given back as soon as the link is there again.
 */
export class RedisLeases {
  /** By token. As many as commands were under way when the link broke. */
  private readonly lost = new Map<string, Pick<Lease, 'key' | 'token'>>();

  constructor(
    private readonly commands: RedisCommands,
    private readonly invalidation: RedisInvalidation,
    private readonly keys: RedisKeys,
  ) {}

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const [sequence, reply] = await this.askOwn(ACQUIRE, request);
    return leaseAnswer(request, sequence, reply as RedisReply[]);
  }

  /** The value that is there, or the lease. */
  async findOrAcquire(
    request: LeaseRequest,
  ): Promise<{ readonly value: RedisReply } | { readonly lease: LeaseAnswer }> {
    const [sequence, reply] = await this.askOwn(FIND_OR_ACQUIRE, request);
    if (Array.isArray(reply)) return { lease: leaseAnswer(request, sequence, reply as RedisReply[]) };
    return { value: reply };
  }

  async renew({ key, token }: Lease, leaseMs: number): Promise<void> {
    await this.commands.run(RENEW, [this.keys.lease(key)], [token, leaseMs]);
  }

  async release({ key, token }: Pick<Lease, 'key' | 'token'>): Promise<void> {
    await this.orLost({ key, token }, this.commands.run(RELEASE, [this.keys.lease(key)], [token]));
  }

  async fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    const keepMs = Math.round(pauseMs + FAILURE_MEMORY_MS);
    const text = JSON.stringify({ ...failure, source: this.keys.source });
    const args = [lease.token, lease.failures + 1, text, keepMs];
    await this.orLost(lease, this.commands.run(FAIL, [this.keys.lease(lease.key)], args));
  }

  /** For when the link is there again. Those for which it breaks anew stay lost. */
  async giveBackLost(): Promise<void> {
    const lost = [...this.lost.values()];
    this.lost.clear();
    await Promise.allSettled(lost.map((lease) => this.release(lease)));
  }

  /** What another source failed with is no answer here: it is removed. */
  private async askOwn(script: Script, request: LeaseRequest): Promise<[sequence: number, reply: RedisReply]> {
    const answer = await this.ask(script, request);
    if (!isFailureOfAnother(answer[1], this.keys.source)) return answer;
    const key = this.keys.lease(request.key);
    await this.commands.send(key, ['UNLINK', key]);
    return this.ask(script, request);
  }

  private ask(script: Script, request: LeaseRequest): Promise<[sequence: number, reply: RedisReply]> {
    const { key, token, seenId, leaseMs, waitedFor = '' } = request;
    const args = [token, leaseMs, seenId, FAILURE_MEMORY_MS, waitedFor];
    return this.orLost(request, this.grant(script, [this.keys.lease(key), this.keys.entry(key)], args));
  }

  /** The lease, and the sequence before the load: the lease is void if that grows. It may be of another node. */
  private async grant(
    script: Script,
    keys: [lease: string, entry: string],
    args: (string | number)[],
  ): Promise<[sequence: number, reply: RedisReply]> {
    const reply = await this.commands.runAcross(script, [...keys, this.keys.sequence], args);
    if (reply !== undefined) return [this.invalidation.learn(sequenceIn(reply)), reply];
    return Promise.all([this.invalidation.readSequence(), this.commands.run(script, keys, args)]);
  }

  private async orLost<T>({ key, token }: Pick<Lease, 'key' | 'token'>, reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      // Who refuses has done nothing.
      if (error instanceof StoreUnavailableError && !refusalIn(error)) this.lost.set(token, { key, token });
      throw error;
    }
  }
}

function isFailureOfAnother(reply: RedisReply, source: string): boolean {
  if (!Array.isArray(reply)) return false;
  const [kind, , failure] = (reply as readonly RedisReply[]).map(String);
  if (kind !== 'failed' || failure === undefined) return false;
  try {
    const { source: theirs = '' } = JSON.parse(failure) as { readonly source?: unknown };
    return theirs !== source;
  } catch {
    return false; // not ours: taken for a failure without a reason
  }
}

/** The sequence that comes with a grant. */
function sequenceIn(reply: RedisReply): RedisReply | undefined {
  const [kind, , sequence] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
  return String(kind) === 'granted' ? sequence : undefined;
}

function leaseAnswer(request: LeaseRequest, sequence: number, reply: readonly RedisReply[]): LeaseAnswer {
  const { key, token, seenId: baseId, tags } = request;
  const [kind, detail = '', failure = '{}'] = reply.map(String);
  if (kind === 'held') return { kind, holder: detail };
  if (kind === 'failed') return { kind, failure: parseFailure(failure), remainingMs: Number(detail) };
  if (kind !== 'granted') return { kind: 'changed' };
  return { kind, lease: { key, token, baseId, sequence, failures: Number(detail), tags, scope: 'shared' } };
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
