import { createHook } from 'node:async_hooks';
import { PassThrough } from 'node:stream';
import { HeldBytes, SharedBody, type BodySource } from './shared-body';

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function collect(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.toString();
  return text;
}

/** So many pieces, of five bytes or of the size given. */
function pieces(count: number, bytes = 5): BodySource {
  async function* produce() {
    for (let made = 0; made < count; made++) {
      await turn();
      yield Buffer.alloc(bytes, '12345');
    }
  }
  return Object.assign(produce(), { destroy: () => undefined });
}

describe('a body for several readers', () => {
  it('is read from its source once, by readers early and late', async () => {
    const source = new PassThrough();
    const body = new SharedBody(source, { maxBytes: 1_000 });
    const early = collect(body.read());
    source.write('ab');
    await turn();
    const late = collect(body.read());
    source.end('cd');
    expect(await Promise.all([early, late, collect(body.read())])).toEqual(['abcd', 'abcd', 'abcd']);
    expect((await body.whole())?.toString()).toBe('abcd');
  });

  it('is not whole any more when it is larger than its window, and goes no faster than its slowest reader', async () => {
    const body = new SharedBody(pieces(100), { maxBytes: 10 });
    const whole = body.whole();
    const fast = collect(body.read());
    const slow = body.read();
    for (let times = 0; times < 50; times++) await turn();
    expect(await whole).toBeUndefined();
    expect(body.isJoinable).toBe(false);
    expect(body.received).toBeLessThanOrEqual(20);
    expect((await collect(slow)).length).toBe(500);
    expect((await fast).length).toBe(500);
  });

  it('is read no further than its readers want it where its length is known to be too much', async () => {
    const body = new SharedBody(pieces(64, 16_384), { maxBytes: 1_000_000, declaredBytes: 1_048_576 });
    expect(await body.whole()).toBeUndefined();
    const [one, other] = [body.read(), body.read()];
    for (let times = 0; times < 100; times++) await turn();
    expect(body.received).toBeLessThanOrEqual(131_072);
    expect(body.isJoinable).toBe(true);
    const lengths = await Promise.all([one, other].map(async (reader) => (await collect(reader)).length));
    expect(lengths).toEqual([1_048_576, 1_048_576]);
    expect(body.isJoinable).toBe(false);
  });

  it('is not kept whole, if it is not small, while the others hold as much as all may', async () => {
    const held = new HeldBytes(1_048_576);
    const limits = { maxBytes: 2_000_000, held };
    const first = new SharedBody(pieces(64, 16_384), limits);
    const waits = first.read();
    expect((await first.whole())?.length).toBe(1_048_576);
    const [large, small] = [new SharedBody(pieces(64, 16_384), limits), new SharedBody(pieces(16, 16_384), limits)];
    const read = collect(large.read());
    expect(await large.whole()).toBeUndefined();
    expect((await small.whole())?.length).toBe(262_144);
    expect((await read).length).toBe(1_048_576);
    await waits.return?.(undefined);
    expect(held.isFull).toBe(false);
    expect((await new SharedBody(pieces(64, 16_384), limits).whole())?.length).toBe(1_048_576);
  });

  it('is read from its first byte by who begins right after the head, though its first piece is over the limit', async () => {
    const source = new PassThrough({ highWaterMark: 1_048_576 });
    source.write(Buffer.alloc(4_000));
    const body = new SharedBody(source, { maxBytes: 1_000 });
    while (body.received === 0) await new Promise((resolve) => process.nextTick(resolve));
    source.end(Buffer.alloc(4_000));
    expect((await collect(body.read())).length).toBe(8_000);
  });

  it('stops its source where it is over the limit and has no reader', async () => {
    const source = new PassThrough({ highWaterMark: 1_048_576 });
    const body = new SharedBody(source, { maxBytes: 1_000 });
    source.write(Buffer.alloc(2_000));
    expect(await body.whole()).toBeUndefined();
    await turn();
    await turn();
    expect(source.destroyed).toBe(true);
  });

  it('does not count as under way once all its readers have left, though it was over the limit and they had read little', async () => {
    const held = new HeldBytes(0);
    const source = new PassThrough({ highWaterMark: 1_048_576 });
    const body = new SharedBody(source, { maxBytes: 300_000, declaredBytes: 1_048_576, held });
    const reader = body.read();
    source.write(Buffer.alloc(100_000));
    await reader.next();
    source.write(Buffer.alloc(100_000));
    await turn();
    expect(held.isFull).toBe(true);
    await reader.return?.();
    body.abandon();
    for (let times = 0; times < 5; times++) await turn();
    expect(held.isFull).toBe(false);
  });

  it('costs each reader its own steps, however many others wait', async () => {
    const body = new SharedBody(pieces(50, 16_384), { maxBytes: 500_000, declaredBytes: 819_200 });
    const read = async (pace: () => unknown): Promise<number> => {
      let bytes = 0;
      for await (const chunk of body.read()) {
        bytes += chunk.length;
        await pace();
      }
      return bytes;
    };
    let promises = 0;
    const hook = createHook({ init: (_id, type) => (promises += type === 'PROMISE' ? 1 : 0) }).enable();
    const lengths = await Promise.all(Array.from({ length: 100 }, (_, at) => read(at % 2 ? turn : () => undefined)));
    hook.disable();
    expect(new Set(lengths)).toEqual(new Set([819_200]));
    expect(promises / 50 / 100).toBeLessThan(30);
  });

  describe('with a reader that takes less than 512 KiB between two checks, while another waits for it', () => {
    beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] }));
    afterEach(() => {
      jest.useRealTimers();
      jest.restoreAllMocks();
    });
    const takeSlowly = async (busyShare: number, taken: number): Promise<void> => {
      const utilization = { idle: 0, active: 0, utilization: busyShare };
      jest.spyOn(performance, 'eventLoopUtilization').mockReturnValue(utilization);
      const body = new SharedBody(pieces(64, 16_384), { maxBytes: 500_000, declaredBytes: 1_048_576 });
      const [waiting, slow] = [collect(body.read()), body.read()];
      const settle = async (): Promise<void> => {
        for (let turns = 0; turns < 30; turns++) await turn();
      };
      await slow.next();
      await settle();
      jest.advanceTimersByTime(2_000);
      for (let at = 0; at < taken; at++) await slow.next();
      await settle();
      jest.advanceTimersByTime(2_000);
      await collect(slow);
      expect((await waiting).length).toBe(1_048_576);
    };

    it('cuts it off', () => expect(takeSlowly(0.5, 2)).rejects.toThrow('Others waited for this reader.'));

    it('does not where the process itself has no time', () => expect(takeSlowly(1, 2)).resolves.toBeUndefined());

    it('does even then if it takes nothing', () => expect(takeSlowly(1, 0)).rejects.toThrow('Others waited'));
  });

  it('goes on for the others when a reader leaves', async () => {
    const body = new SharedBody(pieces(10), { maxBytes: 10 });
    const leaver = body.read();
    const stayer = collect(body.read());
    await leaver.next();
    await leaver.return?.();
    expect((await stayer).length).toBe(50);
  });

  it('fails for all when its source does', async () => {
    const source = new PassThrough();
    const body = new SharedBody(source, { maxBytes: 1_000 });
    const reader = collect(body.read());
    source.write('ab');
    await turn();
    source.destroy(new Error('cut'));
    await expect(reader).rejects.toThrow('cut');
    await expect(body.whole()).rejects.toThrow('cut');
  });

  it('stops its source when it is abandoned', async () => {
    const source = new PassThrough();
    const body = new SharedBody(source, { maxBytes: 1_000 });
    body.abandon();
    await expect(body.whole()).rejects.toThrow();
    expect(source.destroyed).toBe(true);
  });
});
