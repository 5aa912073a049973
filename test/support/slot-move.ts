import { ownerOf, parseClusterNodes } from './cluster-view';
import type { RedisProcess } from './redis-process';

/**
 * One slot on its way from a primary to another, in the steps of the Redis Cluster specification. Between `begin` and
 * `finish` the source answers ASK for keys it no longer has; after `finish` it answers MOVED.
 */
export class SlotMove {
  private constructor(
    readonly slot: number,
    readonly from: RedisProcess,
    readonly to: RedisProcess,
    private readonly primaries: readonly RedisProcess[],
    private readonly ids: { from: string; to: string },
  ) {}

  static async begin(slot: number, primaries: readonly RedisProcess[], to: RedisProcess): Promise<SlotMove> {
    const view = parseClusterNodes(await to.command('CLUSTER', 'NODES'));
    const source = ownerOf(slot, view);
    const target = view.find(({ port }) => port === to.port);
    const from = primaries.find(({ port }) => port === source?.port);
    if (source === undefined || target === undefined || from === undefined) {
      throw new Error(`Slot ${slot} cannot move: its owner or its target is not a living primary of this cluster`);
    }
    if (from === to) throw new Error(`Slot ${slot} is already on port ${to.port}`);
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source.id);
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target.id);
    return new SlotMove(slot, from, to, primaries, { from: source.id, to: target.id });
  }

  /** Moves the keys that the slot holds now. */
  async migrateKeys(): Promise<void> {
    const auth = this.to.password === undefined ? [] : ['AUTH', this.to.password];
    for (;;) {
      const keys = await this.from.query('CLUSTER', 'GETKEYSINSLOT', this.slot, 100);
      if (!Array.isArray(keys) || keys.length === 0) return;
      const names = keys.map(String);
      await this.from.command(
        'MIGRATE',
        '127.0.0.1',
        this.to.port,
        '',
        0,
        30_000,
        'REPLACE',
        ...auth,
        'KEYS',
        ...names,
      );
    }
  }

  /** Gives the slot to its new owner, and tells every primary so that clients hear MOVED at once. */
  async finish(): Promise<void> {
    const others = this.primaries.filter((node) => node !== this.to && node !== this.from);
    for (const node of [this.to, this.from, ...others]) {
      await node.command('CLUSTER', 'SETSLOT', this.slot, 'NODE', this.ids.to);
    }
  }
}
