import { PassThrough } from 'node:stream';
import { MemoryState } from '../../cache/store/memory/memory-state';
import { MemoryStore } from '../../cache/store/memory/memory-store';
import { ManualClock } from '../../kernel/clock';
import { RateBudget } from './rate-budget';
import type { RateBudgetOptions, RateLimitedRequest } from './rate-limited-request';
import type { RateLimitAdapter } from './rate-limit-adapter';

interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body?: PassThrough;
}

/** `/a/1` counts against `a`, unless its answer names another resource; `left` tells what is left of 100, `pause` how long to pause with all. */
const adapter: RateLimitAdapter = {
  resourceOf: (path) => (path === '/free' ? undefined : path.split('/')[1]),
  isNotModifiedFree: true,
  pointsOf: (method) => (method === 'GET' ? 1 : 5),
  shapeOf: (path) => path.replace(/\d+/, '*'),
  read: (assumed, { status, field }, now) => {
    const [left, pause] = [field('left'), field('pause')];
    const resource = field('resource') ?? assumed;
    const waitMs = Number(pause ?? 60_000);
    const first = {
      resource,
      limit: left === undefined ? undefined : { limit: 100, remaining: Number(left), resetAt: now + 600_000 },
      refusal: status === 429 ? { waitMs, resource: undefined, hasDuration: pause !== undefined } : undefined,
    };
    const daily = field('daily');
    if (daily === undefined) return [first];
    const limit = { limit: 1_000, remaining: Number(daily), resetAt: now + 86_400_000 };
    return [first, { resource: 'daily', limit, refusal: undefined }];
  },
};

const answered = (left: number): Answer => ({ status: 200, fields: { left: String(left) } });
const settled = async (): Promise<void> => {
  for (let turns = 0; turns < 20; turns++) await Promise.resolve();
};

/** Shared values that may take their time. */
class SlowState extends MemoryState {
  private held: Promise<void> | undefined;

  /** Lets nobody read until the function it returns is called. */
  holdReads(): () => void {
    let release = (): void => undefined;
    this.held = new Promise((resolve) => (release = resolve));
    return () => release();
  }

  override async read(group: string, name: string): Promise<string | undefined> {
    await this.held;
    return super.read(group, name);
  }
}

class SlowStore extends MemoryStore {
  override readonly shared = new SlowState();
}

describe('a budget', () => {
  let clock: ManualClock;
  let store: SlowStore;
  beforeEach(() => {
    clock = new ManualClock();
    store = new SlowStore({ maxBytes: 1_000_000, maxEntries: 100 }, clock);
  });

  /** One replica's, and what it has sent. */
  class Replica {
    readonly sent: string[] = [];
    readonly budget: RateBudget;

    constructor(options: Partial<RateBudgetOptions> = {}) {
      const all = { upstream: 'api', adapter, reserve: 0.1, maxConcurrency: 64, pointsPerMinute: 0, ...options };
      this.budget = new RateBudget({ deadlineMs: 60_000, bodyMs: 60_000, ...all }, store, clock);
    }

    async ask(path: string, answer: Answer | Promise<Answer>, more: Partial<RateLimitedRequest> = {}): Promise<Answer> {
      const spent = await this.budget.schedule(
        { credential: 'c', method: 'GET', path, isBackground: false, ...more },
        () => {
          this.sent.push(path);
          return Promise.resolve(answer);
        },
        { field: ({ fields }, name) => fields[name], rest: ({ body }) => body ?? new PassThrough().destroy() },
      );
      return spent.answer;
    }
  }

  const HELD = { code: 'upstream-rate-limited' };

  it('is known to another replica before it sends the next request where little is left', async () => {
    const [one, other] = [new Replica(), new Replica()];
    await other.ask('/a/1', answered(10));
    await one.ask('/a/2', answered(0));
    await settled();
    await expect(other.ask('/a/3', answered(9))).rejects.toMatchObject(HELD);
    expect(other.sent).toEqual(['/a/1']);
  });

  it('is known to another replica 20 ms later where plenty was left, and is read no more often', async () => {
    const [one, other] = [new Replica(), new Replica()];
    const read = jest.spyOn(store.shared, 'read');
    await other.ask('/a/1', answered(50));
    await other.ask('/a/2', answered(49));
    expect(read).toHaveBeenCalledTimes(1);
    await one.ask('/a/3', answered(0));
    await settled();
    clock.advance(21);
    await expect(other.ask('/a/4', answered(48))).rejects.toMatchObject(HELD);
    expect(other.sent).toEqual(['/a/1', '/a/2']);
  });

  it('is waited for by all requests of a burst, not by the first alone', async () => {
    await new Replica().ask('/a/1', answered(0));
    await settled();
    const slow = new Replica();
    const read = store.shared.holdReads();
    const burst = Promise.allSettled([1, 2, 3, 4].map((at) => slow.ask(`/a/${at}`, answered(9))));
    await settled();
    expect(slow.sent).toEqual([]);
    read();
    for (const result of await burst) expect(result).toMatchObject({ status: 'rejected', reason: HELD });
    expect(slow.sent).toEqual([]);
  });

  it('knows by the answers what the path does not show', async () => {
    const replica = new Replica();
    await replica.ask('/a/1', { status: 200, fields: { left: '0', resource: 'b' } });
    await expect(replica.ask('/a/2', answered(9))).rejects.toMatchObject(HELD);
    await replica.ask('/a/2', answered(9), { method: 'POST' });
    await replica.ask('/a/x', answered(9));
    expect(replica.sent).toEqual(['/a/1', '/a/2', '/a/x']);
  });

  it.each<[string, (body: PassThrough) => unknown, bodyMs?: number]>([
    ['has ended', (body) => body.resume().end()],
    ['has broken off', (body) => body.on('error', () => undefined).destroy(new Error('broken'))],
    ['is let go', (body) => body.destroy()],
    ['has taken too long', () => undefined, 5],
  ])('holds the place of a request until the body %s', async (_what, happens, bodyMs = 60_000) => {
    const replica = new Replica({ maxConcurrency: 1, bodyMs });
    const body = new PassThrough();
    await replica.ask('/a/1', { ...answered(50), body });
    const second = replica.ask('/free', answered(50));
    await settled();
    expect(replica.sent).toEqual(['/a/1']);
    happens(body);
    await second;
    expect(replica.sent).toEqual(['/a/1', '/free']);
  });

  it('is spent no faster than so many points a minute, which writes spend sooner', async () => {
    const replica = new Replica({ pointsPerMinute: 12, deadlineMs: 30_000 });
    for (let at = 0; at < 5; at++) await replica.ask(`/a/${at}`, answered(50));
    await replica.ask('/a/5', answered(50), { method: 'POST' });
    await expect(replica.ask('/a/6', answered(50), { method: 'POST' })).rejects.toMatchObject({
      ...HELD,
      retryAfterMs: 60_000,
    });
    await replica.ask('/a/6', answered(50));
    await replica.ask('/a/7', answered(50));
    await expect(replica.ask('/a/8', answered(50))).rejects.toMatchObject(HELD);
    await replica.ask('/a/8', answered(50), { credential: 'another' });
    await replica.ask('/a/9', answered(50), { credential: '-' });
    expect(replica.sent).toHaveLength(10);
    clock.advance(60_000);
    await replica.ask('/a/8', answered(50));
  });

  it('lets a request wait for the next points as long as for its turn', async () => {
    const replica = new Replica({ pointsPerMinute: 1 });
    await replica.ask('/a/1', answered(50));
    clock.advance(59_990);
    await replica.ask('/b/1', answered(50), { credential: 'another' });
    const second = replica.ask('/a/2', answered(50));
    await settled();
    expect(replica.sent).toEqual(['/a/1', '/b/1']);
    clock.advance(10);
    await second;
    expect(replica.sent).toEqual(['/a/1', '/b/1', '/a/2']);
  });

  it('keeps the last points of a minute for waiting requests', async () => {
    const replica = new Replica({ pointsPerMinute: 10 });
    for (let at = 0; at < 9; at++) await replica.ask(`/a/${at}`, answered(50), { isBackground: true });
    await expect(replica.ask('/a/9', answered(50), { isBackground: true })).rejects.toMatchObject(HELD);
    await replica.ask('/a/9', answered(50));
    expect(replica.sent).toHaveLength(10);
  });

  it('has no pace where the upstream announces no limits', async () => {
    const replica = new Replica({ pointsPerMinute: 1 });
    for (let at = 0; at < 3; at++) await replica.ask(`/a/${at}`, { status: 200, fields: {} });
    expect(replica.sent).toHaveLength(3);
  });

  it('goes by every limit that an answer names', async () => {
    const replica = new Replica();
    await replica.ask('/a/1', { status: 200, fields: { left: '50', daily: '1' } });
    await replica.ask('/a/2', { status: 200, fields: { left: '49', daily: '0' } });
    await expect(replica.ask('/a/3', answered(48))).rejects.toMatchObject({ ...HELD, message: /\(daily\)/ });
    await replica.ask('/b/1', answered(48)); // of which no answer has named the limit yet
    clock.advance(86_400_000);
    await replica.ask('/a/3', answered(48));
    expect(replica.sent).toEqual(['/a/1', '/a/2', '/b/1', '/a/3']);
  });

  it('counts a 304 like any answer where the upstream does', async () => {
    const replica = new Replica({ adapter: { ...adapter, isNotModifiedFree: false } });
    await replica.ask('/a/1', { status: 304, fields: {} });
    expect(replica.budget.counts).toMatchObject({ sent: 1, notModified: 0 });
  });

  it('counts as saved what was answered 304 with a credential alone', async () => {
    const replica = new Replica();
    for (const credential of ['-', 'c', 'c']) await replica.ask('/a/1', { status: 304, fields: {} }, { credential });
    expect(replica.budget.counts).toMatchObject({ sent: 3, notModified: 2 });
  });

  it('lets what is free wait for the end of a pause alone', async () => {
    const replica = new Replica();
    await replica.ask('/a/1', answered(0));
    await replica.ask('/free', answered(50));
    await replica.ask('/b/1', { status: 429, fields: { pause: '30000' } });
    await expect(replica.ask('/free', answered(50))).rejects.toMatchObject(HELD);
    expect(replica.sent).toEqual(['/a/1', '/free', '/b/1']);
  });

  it('is not forgotten for a slow answer of another replica that knows nothing of it', async () => {
    const [one, other] = [new Replica(), new Replica()];
    let answer = (_answer: Answer): void => undefined;
    const slow = other.ask('/a/slow', new Promise((resolve) => (answer = resolve)));
    await settled();
    await one.ask('/b/1', answered(0));
    await one.ask('/a/1', { status: 429, fields: { pause: '30000' } });
    await settled();
    answer(answered(90));
    await slow;
    await settled();
    const third = new Replica();
    await expect(third.ask('/c/1', answered(9))).rejects.toMatchObject(HELD);
    clock.advance(30_000);
    await third.ask('/c/1', answered(9));
    await expect(third.ask('/b/2', answered(9))).rejects.toMatchObject(HELD);
    expect(third.sent).toEqual(['/c/1']);
  });
});
