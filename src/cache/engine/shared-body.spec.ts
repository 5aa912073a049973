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
