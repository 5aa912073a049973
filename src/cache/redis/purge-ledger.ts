import type { RedisReply } from '../../redis/redis-link';
import { StoreUnavailableError } from '../core/cache-store';
import { newEntryId } from '../core/random-id';
import type { RedisCommands } from './redis-commands';
import type { RedisKeys } from './redis-keys';
import { CATCH_UP, RECORD, RESTORE } from './scripts';

/** How many tags and keys the ledger has of its last invalidations. */
const MAX_FIELDS = 4_096;

/** What a reply tells of the ledger. */
export interface LedgerState {
  /** The count of all invalidations. */
  readonly sequence: number;
  /** A word for one history of the data; another one is other data. */
  readonly history: string;
  /** A word for one ledger, until it is evicted or deleted. */
  readonly ledger: string;
}

/** Redis has other data than it had: what is there may be older than an invalidation. Nothing of it may be used before it is removed. */
export class RewoundError extends StoreUnavailableError {
  constructor() {
    super('Redis went back in time');
  }
}

const UNKNOWN: LedgerState = { sequence: 0, history: '', ledger: '' };

/**
 * The count of invalidations, and the last of them by name, in Redis; and what this replica knows of it.
 *
 * Its one invariant: a state with a lower count than one known when the question was sent, or of another history, is never taken for the
 * truth. A state that is missing was evicted or deleted, and is made anew by whoever notices.
 *
 * Each question is judged by what was known when it was sent, for replies of one connection are heeded out of order.
 */
export class PurgeLedger {
  private known = UNKNOWN;
  private restoring: Promise<LedgerState> | undefined;

  /** @param onRestored told of another ledger: what was invalidated under the last one may not have been heard */
  constructor(
    private readonly commands: RedisCommands,
    private readonly keys: RedisKeys,
    private readonly onRestored: () => void,
  ) {}

  /** What is known now, for `accept`. */
  get state(): LedgerState {
    return this.known;
  }

  /** The three beginning items of a script's reply. @throws RewoundError */
  async accept(asked: LedgerState, [sequence, history, ledger]: readonly RedisReply[]): Promise<LedgerState> {
    if (String(sequence ?? '') === '') return this.restore();
    return this.learn(asked, { sequence: Number(sequence), history: String(history), ledger: String(ledger) });
  }

  /** Asks for the state alone. @throws RewoundError */
  async read(): Promise<LedgerState> {
    const asked = this.known;
    return this.accept(asked, await this.ask());
  }

  /** One more invalidation; its number. @throws RewoundError */
  async record(what: string): Promise<number> {
    const asked = this.known;
    const args = [...this.makings(), asked.history, what, MAX_FIELDS];
    const reply = (await this.commands.run(RECORD, [this.keys.ledger], args)) as readonly RedisReply[];
    if (reply.length > 3) throw new RewoundError();
    return (await this.accept(asked, reply)).sequence;
  }

  /** Whether nothing of these names was invalidated since the lease was given, as far as the ledger can tell. */
  async isUnpurged(
    since: { readonly sequence: number; readonly ledger?: string },
    names: readonly string[],
  ): Promise<boolean> {
    const reply = await this.commands.sendOrReply(this.keys.ledger, ['HMGET', this.keys.ledger, 'l', 'f', ...names]);
    if (!Array.isArray(reply)) return false;
    const [ledger, ...counts] = (reply as readonly RedisReply[]).map((item) => (item === null ? '' : String(item)));
    return ledger === since.ledger && counts.every((count) => Number(count) <= since.sequence);
  }

  /** Whether Redis has other data than it had when it was last heard: asked after a gap, where a ledger that is missing counts as such. */
  async hasRewound(): Promise<boolean> {
    if (this.known.history === '') return false;
    const [sequence, history] = await this.ask();
    if (String(sequence ?? '') === '') return true;
    return Number(sequence) < this.known.sequence || String(history) !== this.known.history;
  }

  /** After everything was removed. */
  async catchUp(): Promise<void> {
    const { sequence } = this.known;
    await this.restore();
    const reply = (await this.commands.run(
      CATCH_UP,
      [this.keys.ledger],
      [sequence, newEntryId()],
    )) as readonly RedisReply[];
    const [count, history, ledger] = reply.map(String);
    if (count !== undefined && count !== '')
      this.known = { sequence: Number(count), history: history ?? '', ledger: ledger ?? '' };
  }

  private learn(asked: LedgerState, told: LedgerState): LedgerState {
    if (told.sequence < asked.sequence || (asked.history !== '' && told.history !== asked.history))
      throw new RewoundError();
    const isOther = told.ledger !== asked.ledger && told.ledger !== this.known.ledger;
    const isFirst = this.known.ledger === '';
    if (isOther || told.sequence > this.known.sequence)
      this.known = { ...told, sequence: Math.max(told.sequence, this.known.sequence) };
    if (isOther && !isFirst) this.onRestored();
    return told;
  }

  /** Only of a missing one; of one that another has made meanwhile, its state. */
  private restore(): Promise<LedgerState> {
    this.restoring ??= this.commands
      .run(RESTORE, [this.keys.ledger], this.makings())
      .then((reply) => {
        const [sequence, history, ledger] = (reply as readonly RedisReply[]).map(String);
        return this.learn(UNKNOWN, { sequence: Number(sequence), history: history ?? '', ledger: ledger ?? '' });
      })
      .finally(() => {
        this.restoring = undefined;
      });
    return this.restoring;
  }

  private async ask(): Promise<readonly RedisReply[]> {
    const reply = await this.commands.sendOrReply(this.keys.ledger, ['HMGET', this.keys.ledger, 's', 'i', 'l']);
    const items = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
    return items.some((item) => item === null) ? [] : items;
  }

  private makings(): [sequence: number, history: string, ledger: string] {
    return [this.known.sequence, this.known.history || newEntryId(), newEntryId()];
  }
}
