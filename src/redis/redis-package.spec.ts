import { createNodeClient } from './redis-package';

const classOf = (client: object): unknown => {
  const instance: unknown = Object.getPrototypeOf(client);
  return Object.getPrototypeOf(instance);
};

describe('a client of one node', () => {
  it('is of one class, whatever its options: a class of all commands takes long to build', async () => {
    const options = [{ database: 0 }, { database: 1, emitInvalidate: true }, { database: 0 }];
    const clients = await Promise.all(options.map(createNodeClient));
    expect(new Set(clients.map(classOf)).size).toBe(1);
  });
});
