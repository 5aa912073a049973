import { endInBurst } from './burst';

/** What is sent, in order. */
let sent: string[];
const responseTo = (name: string, fails = false) => ({
  end: (body?: unknown) => {
    if (fails) throw new Error('refused');
    sent.push(Buffer.isBuffer(body) ? `${name}: ${body.toString()}` : name);
    return undefined as never;
  },
  destroy: () => {
    sent.push(`${name} destroyed`);
    return undefined as never;
  },
});
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('a burst of answers', () => {
  beforeEach(() => {
    sent = [];
  });
  afterEach(nextTurn);

  it('goes out in its order, once those who are there have been read', async () => {
    endInBurst(responseTo('one'), Buffer.from('body'));
    await Promise.resolve();
    endInBurst(responseTo('two'));
    expect(sent).toEqual([]);
    await nextTurn();
    expect(sent).toEqual(['one: body', 'two']);
  });

  it('is of sixteen at most: no answer waits for more', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `n${at}`);
    for (const name of names) endInBurst(responseTo(name));
    expect(sent).toEqual(names.slice(0, 16));
    await nextTurn();
    expect(sent).toEqual(names);
  });

  it('goes on behind one that cannot be written', async () => {
    endInBurst(responseTo('one', true));
    endInBurst(responseTo('two'));
    await nextTurn();
    expect(sent).toEqual(['one destroyed', 'two']);
  });
});
