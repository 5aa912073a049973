import { PassThrough } from 'node:stream';
import { SharedBody, type BodySource } from './shared-body';

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function collect(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.toString();
  return text;
}

/** So many pieces of five bytes. */
function pieces(count: number): BodySource {
  async function* produce() {
    for (let made = 0; made < count; made++) {
      await turn();
      yield Buffer.from('12345');
    }
  }
  return Object.assign(produce(), { destroy: () => undefined });
}

describe('a body for several readers', () => {
  it('is read from its source once, by readers early and late', async () => {
    const source = new PassThrough();
    const body = new SharedBody(source, 1_000);
    const early = collect(body.read());
    source.write('ab');
    await turn();
    const late = collect(body.read());
    source.end('cd');
    expect(await Promise.all([early, late, collect(body.read())])).toEqual(['abcd', 'abcd', 'abcd']);
    expect((await body.whole())?.toString()).toBe('abcd');
  });

  it('is not whole any more when it is larger than its window, and goes no faster than its slowest reader', async () => {
    const body = new SharedBody(pieces(100), 10);
    const whole = body.whole();
    const fast = collect(body.read());
    const slow = body.read();
    for (let times = 0; times < 50; times++) await turn();
    expect(await whole).toBeUndefined();
    expect(body.isWhole).toBe(false);
    expect(body.received).toBeLessThanOrEqual(20);
    expect((await collect(slow)).length).toBe(500);
    expect((await fast).length).toBe(500);
  });

  it('goes on for the others when a reader leaves', async () => {
    const body = new SharedBody(pieces(10), 10);
    const leaver = body.read();
    const stayer = collect(body.read());
    await leaver.next();
    await leaver.return?.();
    expect((await stayer).length).toBe(50);
  });

  it('fails for all when its source does', async () => {
    const source = new PassThrough();
    const body = new SharedBody(source, 1_000);
    const reader = collect(body.read());
    source.write('ab');
    await turn();
    source.destroy(new Error('cut'));
    await expect(reader).rejects.toThrow('cut');
    await expect(body.whole()).rejects.toThrow('cut');
  });

  it('stops its source when it is abandoned', async () => {
    const source = new PassThrough();
    const body = new SharedBody(source, 1_000);
    body.abandon();
    await expect(body.whole()).rejects.toThrow();
    expect(source.destroyed).toBe(true);
  });
});
