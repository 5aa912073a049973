import { RedisCluster } from '../support/redis-cluster';

describe('RedisCluster', () => {
  let cluster: RedisCluster;

  beforeEach(async () => {
    cluster = await RedisCluster.start();
  });

  afterEach(() => cluster.stop());

  it('has three primaries in order, each with a replica in sync', async () => {
    expect(cluster.nodes).toHaveLength(6);
    const primaries = await cluster.primaries();
    expect(primaries).toHaveLength(3);
    for (const node of primaries) {
      await expect(node.command('CLUSTER', 'INFO')).resolves.toContain('cluster_slots_ok:16384');
      await expect(node.command('INFO', 'replication')).resolves.toContain('connected_slaves:1');
    }
    expect(cluster.uri).toBe(`redis+cluster://${cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`);
  });

  it('moves a slot with its keys, by ASK and then MOVED', async () => {
    const from = await cluster.primaryFor('{tag}');
    await from.command('MSET', '{tag}a', 1, '{tag}b', 2);
    const to = (await cluster.primaries()).find((node) => node !== from)!;
    const slot = await cluster.slotOf('{tag}');
    const move = await cluster.beginSlotMove(slot, to);
    await move.migrateKeys();
    await expect(from.command('GET', '{tag}a')).rejects.toThrow(`ASK ${slot} 127.0.0.1:${to.port}`);
    await move.finish();
    await expect(from.command('GET', '{tag}a')).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to.port}`);
    await expect(cluster.commandFor('{tag}', 'MGET', '{tag}a', '{tag}b')).resolves.toBe('1\n2');
    const back = await cluster.moveSlotOf('{tag}');
    expect(back).not.toBe(to);
    await expect(back.command('GET', '{tag}b')).resolves.toBe('2');
  });

  it('puts a replica in the place of a killed primary, and takes the old one back', async () => {
    const primary = await cluster.primaryFor('key');
    const connection = await primary.connect();
    await connection.send('SET', 'key', 'kept');
    await expect(connection.send('WAIT', 1, 30_000)).resolves.toBe(1);
    connection.close();
    const killed = await cluster.killPrimaryFor('key');
    await cluster.waitForFailover();
    const successor = await cluster.primaryFor('key');
    expect(successor).not.toBe(killed);
    await expect(successor.command('GET', 'key')).resolves.toBe('kept');
    await expect(successor.command('SET', 'key', 'new')).resolves.toBe('OK');
    await killed.restart();
    await cluster.waitForFailover();
    await expect(killed.command('INFO', 'replication')).resolves.toContain('role:slave');
  });

  it('takes an added node in, and a slot to it', async () => {
    await cluster.commandFor('added', 'SET', 'added', 'kept');
    const added = await cluster.addPrimary();
    await cluster.moveSlot(await cluster.slotOf('added'), added);
    await expect(cluster.primaryFor('added')).resolves.toBe(added);
    await expect(added.command('GET', 'added')).resolves.toBe('kept');
  });
});
