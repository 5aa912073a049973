import type { RedisReply } from '../../../redis/redis-link';
import { StoreUnavailableError } from '../cache-store';
import { newEntryId } from '../../model/random-id';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import { CATCH_UP, MAX_MARKS, RECORD, RESTORE } from './ledger-scripts';

/** How many tags and keys the ledger keeps of its latest invalidations. */
const MAX_FIELDS = 4_096 + MAX_MARKS;
/** The first items of a script's reply: the state, and the ledger's mark at the known count. */
export const STATE_ITEMS = 5;

/** The ledger's state in a reply. `ledger-scripts.ts` describes its fields. */
export interface LedgerState {
  /** The count of all invalidations. */
  readonly sequence: number;
  /** A word for one history of the data; another word means other data. */
  readonly history: string;
  /** A word for one ledger, until it is evicted or deleted. */
  readonly ledger: string;
  /** The mark of the last invalidation, `COUNT:WORD`; empty if unknown. Another mark at the same count means other data. */
  readonly mark: string;
}

/** The data in Redis has changed unexpectedly: it may be older than an invalidation. It must be removed before any use. */
export class RewoundError extends StoreUnavailableError {
  constructor() {
    super('Redis went back in time');
  }
}

export interface LedgerListener {
  /** There is a new ledger: this replica may have missed invalidations recorded in the last one. */
  readonly onRestored: () => void;
  /** The ledger that this replica knew is gone, and it has created another. */
  readonly onLost: () => void;
}

const UNKNOWN: LedgerState = { sequence: 0, history: '', ledger: '', mark: '' };

/**
 * The count of invalidations, and the latest of them by name, in Redis; and this replica's knowledge of it.
 *
 * Its one invariant: a state with a lower count than one known when the question was sent, of another history, or with another mark for
 * the count that was known, is never accepted. A missing state was evicted or deleted; the replica that notices creates a new one.
 *
 * Each reply is judged by the knowledge at the time of its request, because replies of one connection are processed out of order.
 */
export class PurgeLedger {
  private known = UNKNOWN;
  private restoring: Promise<LedgerState> | undefined;

  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly listener: LedgerListener,
  ) {}

  /** The current state, for `accept`. */
  get state(): LedgerState {
    return this.known;
  }

  /** Accepts the first items of a script's reply, for the slot of `knownAtSend`. @throws RewoundError */
  async accept(knownAtSend: LedgerState, items: readonly RedisReply[]): Promise<LedgerState> {
    if (String(items[0] ?? '') === '') return this.restore();
    const { received, there } = parsed(items);
    return this.adopt(knownAtSend, received, there);
  }

  /** Reads the state alone. @throws RewoundError */
  async read(): Promise<LedgerState> {
    const knownAtSend = this.known;
    return this.accept(knownAtSend, await this.readState(knownAtSend));
  }

  /** Counts one more invalidation, of all these names; returns its number. @throws RewoundError */
  async record(names: readonly string[]): Promise<number> {
    const knownAtSend = this.known;
    const makings = this.makings();
    const args = [...makings, knownAtSend.history, MAX_FIELDS, newEntryId(), ...names];
    const reply = (await this.commands.run(RECORD, [this.keys.ledger], args)) as readonly RedisReply[];
    if (reply.length > STATE_ITEMS) throw new RewoundError();
    this.countLoss(makings, reply);
    return (await this.accept(knownAtSend, reply)).sequence;
  }

  /** Whether none of these names was invalidated since the lease was granted, as far as the ledger knows. */
  async isUnpurged(
    since: { readonly sequence: number; readonly ledger?: string },
    names: readonly string[],
  ): Promise<boolean> {
    const reply = await this.commands.sendOrReply(this.keys.ledger, ['HMGET', this.keys.ledger, 'l', 'f', ...names]);
    if (!Array.isArray(reply)) return false;
    const [ledger, ...counts] = (reply as readonly RedisReply[]).map((item) => (item === null ? '' : String(item)));
    return ledger === since.ledger && counts.every((count) => Number(count) <= since.sequence);
  }

  /** Whether Redis has other data than before: checked after a gap, where a missing ledger counts as such. */
  async hasRewound(): Promise<boolean> {
    if (this.known.history === '') return false;
    const knownAtSend = this.known;
    const items = await this.readState(knownAtSend);
    if (String(items[0] ?? '') === '') return true;
    const { received, there } = parsed(items);
    return isOtherData(knownAtSend, received, there);
  }

  /** Called after everything was removed. */
  async catchUp(): Promise<void> {
    const { sequence } = this.known;
    await this.restore();
    const reply = (await this.commands.run(
      CATCH_UP,
      [this.keys.ledger],
      [slotOf(this.known), sequence, newEntryId(), newEntryId()],
    )) as readonly RedisReply[];
    if (String(reply[0] ?? '') !== '') this.known = parsed(reply).received;
  }

  private adopt(knownAtSend: LedgerState, received: LedgerState, there: string): LedgerState {
    if (isOtherData(knownAtSend, received, there)) throw new RewoundError();
    const isOther = received.ledger !== knownAtSend.ledger && received.ledger !== this.known.ledger;
    const isFirst = this.known.ledger === '';
    const { sequence, mark } = received.sequence < this.known.sequence ? this.known : received;
    if (isOther || received.sequence > this.known.sequence) this.known = { ...received, sequence, mark };
    if (isOther && !isFirst) this.listener.onRestored();
    return received;
  }

  /** Replaces a missing ledger only; if another replica has created one since, returns its state. */
  private restore(): Promise<LedgerState> {
    const makings = this.makings();
    this.restoring ??= this.commands
      .run(RESTORE, [this.keys.ledger], makings)
      .then((reply) => {
        this.countLoss(makings, reply as readonly RedisReply[]);
        const { received, there } = parsed(reply as readonly RedisReply[]);
        return this.adopt(UNKNOWN, received, there);
      })
      .finally(() => {
        this.restoring = undefined;
      });
    return this.restoring;
  }

  /** If several replicas notice, the one whose ledger was created counts. The very first ledger was not lost. */
  private countLoss([, , , made]: ReturnType<PurgeLedger['makings']>, [, , ledger]: readonly RedisReply[]): void {
    if (this.known.ledger !== '' && String(ledger) === made) this.listener.onLost();
  }

  private async readState(knownAtSend: LedgerState): Promise<readonly RedisReply[]> {
    const { ledger } = this.keys;
    const reply = await this.commands.sendOrReply(ledger, ['HMGET', ledger, 's', 'i', 'l', 'w', slotOf(knownAtSend)]);
    const items = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
    return items.slice(0, 3).some((item) => item === null) ? [] : items;
  }

  private makings(): [slot: string, sequence: number, history: string, ledger: string, mark: string] {
    const { known } = this;
    return [slotOf(known), known.sequence, known.history || newEntryId(), newEntryId(), known.mark];
  }
}

/** The ledger's field with the mark for the known count. */
export function slotOf({ sequence }: LedgerState): string {
  return `w:${sequence % MAX_MARKS}`;
}

/** @returns the state, and the ledger's mark in the requested slot */
function parsed(items: readonly RedisReply[]): { readonly received: LedgerState; readonly there: string } {
  const [sequence = '', history = '', ledger = '', last = '', there = ''] = items.map((item) => String(item ?? ''));
  // A replica of an older version counts and leaves the earlier mark.
  const mark = last.startsWith(`${sequence}:`) ? last : '';
  return { received: { sequence: Number(sequence), history, ledger, mark }, there };
}

/** Whether a reply belongs to other data than were known when it was requested, or to an older state of them. */
function isOtherData(knownAtSend: LedgerState, received: LedgerState, there: string): boolean {
  if (
    received.sequence < knownAtSend.sequence ||
    (knownAtSend.history !== '' && received.history !== knownAtSend.history)
  )
    return true;
  return knownAtSend.mark !== '' && there !== knownAtSend.mark && there.startsWith(`${knownAtSend.sequence}:`);
}
