import { newEntryId, newGeneration, newToken } from './random-id';

describe('random ids', () => {
  it('never repeat, over many fillings of the pool', () => {
    const made = Array.from({ length: 30_000 }, (_, at) => [newEntryId, newToken, newGeneration][at % 3]?.());
    expect(new Set(made).size).toBe(made.length);
  });

  it('are of one length each, in base64url', () => {
    expect([newEntryId(), newToken(), newGeneration()]).toEqual([
      expect.stringMatching(/^[\w-]{12}$/),
      expect.stringMatching(/^[\w-]{16}$/),
      expect.stringMatching(/^[\w-]{8}$/),
    ]);
  });
});
