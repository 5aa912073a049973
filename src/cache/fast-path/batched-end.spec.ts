import { endBatched } from './batched-end';

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

describe('a batch of responses', () => {
  beforeEach(() => {
    sent = [];
  });
  afterEach(nextTurn);

  it('goes out in order, once the requests that have arrived are read', async () => {
    endBatched(responseTo('one'), Buffer.from('body'));
    await Promise.resolve();
    endBatched(responseTo('two'));
    expect(sent).toEqual([]);
    await nextTurn();
    expect(sent).toEqual(['one: body', 'two']);
  });

  it('has sixteen responses at most', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `n${at}`);
    for (const name of names) endBatched(responseTo(name));
    expect(sent).toEqual(names.slice(0, 16));
    await nextTurn();
    expect(sent).toEqual(names);
  });

  it('goes on after a response that cannot be written', async () => {
    endBatched(responseTo('one', true));
    endBatched(responseTo('two'));
    await nextTurn();
    expect(sent).toEqual(['one destroyed', 'two']);
  });
});
