import type { RedisReply } from '../../../redis/redis-link';
import {
  StoreUnavailableError,
  type Lease,
  type LeaseAnswer,
  type LeaseRequest,
  type LoadFailure,
} from '../cache-store';
import { ifAvailable } from '../if-available';
import { FAILURE_MEMORY_MS } from '../lease-table';
import { refusalIn, type RedisCommands } from './redis-commands';
import { slotOf, STATE_ITEMS, type LedgerState, type PurgeLedger } from './purge-ledger';
import type { RedisKeys } from './redis-keys';
import { ACQUIRE, FAIL, FIND_FIRST_LOAD, FIND_OR_ACQUIRE, IS_STANDING, RELEASE, RENEW } from './lease-scripts';
import type { Script } from './lua';

type LeaseName = Pick<LeaseRequest, 'key' | 'selection' | 'token'>;

/** A failure as it is stored: with its source, and the state that its load saw. */
interface StoredFailure extends Partial<LoadFailure> {
  readonly source?: string;
  readonly since?: Pick<Lease, 'sequence' | 'ledger' | 'indexMark'>;
}

/**
 * Leases in Redis, which keeps them until they are released or expire.
 *
 * A broken connection may lose the reply to a grant or a release, and leave a lease without a holder that blocks every other caller of the
 * key. Such *orphaned* leases are released as soon as the connection is back.
 */
export class RedisLeases {
  /** By token. As many as commands were under way when the connection broke. */
  private readonly lost = new Map<string, LeaseName>();

  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly ledger: PurgeLedger,
  ) {}

  /** A load that began before an invalidation of the key or of one of the tags is not waited for, and its failure is not shared. */
  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const [state, reply] = await this.runScript(ACQUIRE, request);
    const outdated = await this.findOutdated(request, reply);
    if (outdated === undefined) return leaseAnswer(request, state, reply);
    const [stateNow, replyNow] = await this.runScript(ACQUIRE, request, outdated);
    return leaseAnswer(request, stateNow, replyNow);
  }

  /**
   * The value, found or without its bookkeeping, or the lease, or its holder. No failure: the load may have begun too early for it to be
   * shared, which `acquire` decides.
   */
  async findOrAcquire(
    request: LeaseRequest,
  ): Promise<{ readonly value: RedisReply; readonly isLost: boolean } | { readonly lease: LeaseAnswer | undefined }> {
    const [state, reply] = await this.runScript(FIND_OR_ACQUIRE, request);
    const [kind, value = ''] = reply;
    if (String(kind) === 'found') return { value, isLost: false };
    if (String(kind) === 'lost') return { value, isLost: true };
    return { lease: String(kind) === 'failed' ? undefined : leaseAnswer(request, state, reply) };
  }

  async renew({ key, selection, token }: Lease, leaseMs: number): Promise<void> {
    await this.commands.run(RENEW, [this.keys.lease(key, selection)], [token, leaseMs]);
  }

  async release(lease: LeaseName): Promise<void> {
    const { key, selection, token } = lease;
    await this.trackIfUncertain(lease, this.commands.run(RELEASE, [this.keys.lease(key, selection)], [token]));
  }

  async isStanding(lease: Lease): Promise<boolean> {
    const { key, selection, token, tags } = lease;
    const isHeld = await this.commands.run(IS_STANDING, [this.keys.lease(key, selection)], [token]);
    if (isHeld !== 1) return false;
    return this.ledger.isUnpurged(lease, [`k:${key}`, ...tags.map((tag) => `t:${tag}`)]);
  }

  async fail(lease: Lease, failure: LoadFailure, pauseMs: number): Promise<void> {
    const keepMs = Math.round(pauseMs + FAILURE_MEMORY_MS);
    const { sequence, ledger, indexMark } = lease;
    const text = JSON.stringify({ ...failure, source: this.keys.source, since: { sequence, ledger, indexMark } });
    const args = [lease.token, lease.failures + 1, text, keepMs];
    await this.trackIfUncertain(lease, this.commands.run(FAIL, [this.keys.lease(lease.key, lease.selection)], args));
  }

  /** For when the connection is back. If it breaks again, the remaining leases stay orphaned. */
  async releaseOrphaned(): Promise<void> {
    const lost = [...this.lost.values()];
    this.lost.clear();
    await Promise.allSettled(lost.map((lease) => this.release(lease)));
  }

  /**
   * The token of a load that does not concern the caller: it failed at another source, or it began before an invalidation that the caller
   * may have seen. One more round trip, only if a load is under way or has failed.
   */
  private async findOutdated(
    { key, tags, indexMark = 0, firstLoad }: LeaseRequest,
    reply: readonly RedisReply[],
  ): Promise<string | undefined> {
    const [kind, ...details] = reply.map(String);
    const names = [`k:${key}`, ...(firstLoad ? [`k:${firstLoad.key}`] : []), ...tags.map((tag) => `t:${tag}`)];
    if (kind === 'held') {
      const [token, sequence, ledger = ''] = details;
      const isUnpurged = await this.ledger.isUnpurged({ sequence: Number(sequence), ledger }, names);
      return isUnpurged ? undefined : token;
    }
    if (kind !== 'failed') return undefined;
    const [, text = '', token] = details;
    const { source = '', since } = parseFailure(text) ?? { source: this.keys.source };
    if (source !== this.keys.source) return token;
    if (since === undefined) return undefined;
    const isUnpurged = (since.indexMark ?? 0) >= indexMark && (await this.ledger.isUnpurged(since, names));
    return isUnpurged ? undefined : token;
  }

  /** @param outdated the token of a load that gives way to the caller */
  private runScript(
    script: Script,
    request: LeaseRequest,
    outdated = '',
  ): Promise<[state: LedgerState, reply: readonly RedisReply[]]> {
    return this.trackIfUncertain(request, this.grant(script, request, outdated));
  }

  /** The reply, and the ledger's state before a load begins, which may be of another node: a later invalidation refuses its fill. */
  private async grant(
    script: Script,
    { key, selection, token, seenId, leaseMs, waitedFor = '', indexMark = 0, firstLoad }: LeaseRequest,
    outdated: string,
  ): Promise<[state: LedgerState, reply: readonly RedisReply[]]> {
    const names: [lease: string, entry: string] = [this.keys.lease(key, selection), this.keys.entry(key)];
    const argsUnder = (known: LedgerState): (string | number)[] => [
      ...[token, leaseMs, seenId, FAILURE_MEMORY_MS, waitedFor, indexMark, key],
      ...[slotOf(known), outdated, known.sequence, known.ledger],
    ];
    const asked = this.ledger.state;
    const all = [...argsUnder(asked), this.keys.tagIndexPrefix];
    const first = firstLoad ? [this.keys.lease(firstLoad.key, firstLoad.selection)] : [];
    const atOnce = await this.commands.runAcross(script, [...names, this.keys.ledger, ...first], all);
    if (atOnce !== undefined) {
      const items = atOnce as readonly RedisReply[];
      return [await this.ledger.accept(asked, items), items.slice(STATE_ITEMS)];
    }
    for (const lease of first) {
      const held = await this.commands.run(FIND_FIRST_LOAD, [lease], [indexMark, outdated]);
      if (Array.isArray(held) && held.length > 0) return [asked, ['held', ...(held as readonly RedisReply[])]];
    }
    // The lease names its ledger: the first lease of this replica waits until it knows one.
    const known = asked.ledger === '' ? await this.ledger.read() : asked;
    const reading = this.ledger.read();
    reading.catch(() => undefined); // it is awaited below, unless the script fails first
    const reply = await this.commands.run(script, names, argsUnder(known));
    try {
      return [await reading, (reply as readonly RedisReply[]).slice(STATE_ITEMS)];
    } catch (error) {
      // The ledger's node refuses, and the key's node may have granted the lease.
      await ifAvailable(() => this.release({ key, selection, token }));
      throw error;
    }
  }

  private async trackIfUncertain<T>({ key, selection, token }: LeaseName, reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      // A refused command has done nothing.
      if (error instanceof StoreUnavailableError && !refusalIn(error)) this.lost.set(token, { key, selection, token });
      throw error;
    }
  }
}

function leaseAnswer(request: LeaseRequest, state: LedgerState, reply: readonly RedisReply[]): LeaseAnswer {
  const { key, selection, token, seenId: baseId, tags, indexMark } = request;
  const { sequence, ledger } = state;
  const [kind, detail = '', failure = '{}'] = reply.map(String);
  if (kind === 'held') return { kind, holder: detail };
  if (kind === 'failed') return { kind, failure: failureIn(failure), remainingMs: Number(detail) };
  if (kind !== 'granted') return { kind: 'changed' };
  const failures = Number(detail);
  const lease = {
    key,
    selection,
    token,
    baseId,
    sequence,
    ledger,
    indexMark,
    failures,
    tags,
    scope: 'shared',
  } as const;
  return { kind, lease };
}

/** Undefined for a text of another format. */
function parseFailure(text: string): StoredFailure | undefined {
  try {
    return JSON.parse(text) as StoredFailure;
  } catch {
    return undefined;
  }
}

function failureIn(text: string): LoadFailure {
  const { code, message, retryAfterMs, status, body } = parseFailure(text) ?? {};
  const wait = typeof retryAfterMs === 'number' ? { retryAfterMs } : {};
  const own = typeof status === 'number' && typeof body === 'string' ? { status, body } : {};
  if (typeof code === 'string' && typeof message === 'string') return { code, message, ...wait, ...own };
  return { code: 'internal', message: 'A load failed on another replica, which left no reason.' };
}
