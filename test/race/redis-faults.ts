import { setTimeout as pause } from 'node:timers/promises';
import type { RedisProcess } from '../support/redis-process';
import type { History } from './history';
import type { Action } from './plan';
import type { PromiseBook } from './promise-book';
import type { Replica } from './replica';

type Fault = Extract<Action, { kind: 'fault' }>;

/** A replica needs this long to notice that its connection is gone. */
const NOTICE_MS = 50;
/** From when all replicas are healed until the promises are checked again. */
const AFTER_HEALING_MS = 300;

/**
 * Breaks Redis, one fault at a time, and knows from when until when that is so: while a replica does not hear of changes
 * the promise to it is bounded only, and requests that begin then are not judged.
 */
export class RedisFaults {
  private underWay = Promise.resolve();
  private broken = false;
  private faults = 0;

  constructor(
    private readonly redis: RedisProcess,
    private readonly replicas: readonly Replica[],
    private readonly book: PromiseBook,
    private readonly history: History,
  ) {}

  get isBroken(): boolean {
    return this.broken;
  }

  get count(): number {
    return this.faults;
  }

  /** Waits for the one before, begins this one; `onHealed` runs when it is over and promises count again. */
  async begin(fault: Fault, onHealed: () => void): Promise<void> {
    await this.underWay;
    this.broken = true;
    this.faults += 1;
    this.underWay = this.run(fault).then(onHealed);
    // The one who awaits `settled` or the next `begin` gets the error; until then it must not end the process.
    this.underWay.catch(() => undefined);
  }

  settled(): Promise<void> {
    return this.underWay;
  }

  private async run(fault: Fault): Promise<void> {
    this.history.add(undefined, `FAULT ${fault.fault} begins`);
    await this.inflict(fault);
    this.history.add(undefined, `fault ${fault.fault} is over, Redis answers`);
    await pause(NOTICE_MS);
    await Promise.all(this.replicas.map((replica) => replica.untilHealed()));
    this.history.add(undefined, 'all replicas are healed');
    await pause(AFTER_HEALING_MS);
    this.broken = false;
    this.history.add(undefined, 'promises are checked again');
  }

  private async inflict({ fault, freezeMs, draw }: Fault): Promise<void> {
    switch (fault) {
      case 'restart-empty':
        return this.redis.restart();
      case 'restart-with-old-data':
        await this.redis.restart({ keepData: true });
        {
          this.book.forgetDeleted();
          return;
        }
      case 'kill-connections':
        await this.redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        return;
      case 'kill-one-connection':
        return this.killOne(/^id=(\d+) .*resp=3/gm, draw);
      case 'deafen-one':
        return this.killOne(/^id=(\d+) .*flags=\S*B/gm, draw);
      case 'flush':
        this.book.forgetDeleted();
        await this.redis.command('FLUSHALL');
        return;
      case 'read-only':
        await this.redis.command('REPLICAOF', '127.0.0.1', '1');
        await pause(freezeMs);
        await this.redis.command('REPLICAOF', 'NO', 'ONE');
        return;
      case 'full':
        await this.redis.command('CONFIG', 'SET', 'maxmemory', '1');
        await pause(freezeMs);
        await this.redis.command('CONFIG', 'SET', 'maxmemory', '0');
        return;
      case 'freeze':
        await this.redis.freeze();
        await pause(freezeMs);
        return this.redis.thaw();
    }
  }

  /** A replica then may send but not hear, or hear but not send. Its connections speak RESP3; it hears on the one with flag B. */
  private async killOne(pattern: RegExp, draw: number): Promise<void> {
    const clients = await this.redis.command('CLIENT', 'LIST', 'TYPE', 'normal');
    const ids = [...clients.matchAll(pattern)].map(([, id]) => String(id));
    const id = ids[Math.floor(draw * ids.length)];
    if (id === undefined) return;
    await this.redis.command('CLIENT', 'KILL', 'ID', id);
    this.history.add(undefined, `connection ${id} is killed`);
  }
}
