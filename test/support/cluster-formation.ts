import { parseClusterNodes, SLOT_COUNT } from './cluster-view';
import type { RedisProcess } from './redis-process';
import { waitUntil } from './wait-until';

/** Makes a cluster of empty nodes: the first `primaries` of them share the slots, the others follow them in turn. */
export async function formCluster(nodes: readonly RedisProcess[], primaries: number): Promise<void> {
  await Promise.all(nodes.map((node, index) => prepare(node, index, primaries)));
  await introduce(nodes);
  const ids = await Promise.all(nodes.map((node) => node.command('CLUSTER', 'MYID')));
  await Promise.all(
    nodes.slice(primaries).map((replica, index) => replica.command('CLUSTER', 'REPLICATE', ids[index % primaries]!)),
  );
  await untilHealthy(nodes);
}

/** Makes every node known to every other; resolves when the last one has heard of all. */
export async function introduce(nodes: readonly RedisProcess[]): Promise<void> {
  const [first, ...others] = nodes;
  for (const node of others) await first!.command('CLUSTER', 'MEET', '127.0.0.1', node.port);
  await waitUntil(async () => (await Promise.all(nodes.map((node) => knowsAll(node, nodes)))).every(Boolean), {
    what: `${nodes.length} cluster nodes to know each other`,
  });
}

/**
 * Resolves when all nodes find the cluster in order and agree on who is who: every slot is served by one of them, and every
 * replica among them is in sync and known as such to all.
 */
export async function untilHealthy(nodes: readonly RedisProcess[]): Promise<void> {
  await waitUntil(() => areHealthy(nodes), {
    what: `the cluster of ports ${nodes.map(({ port }) => port).join(', ')} to be in order`,
    pollMs: 25,
  });
}

async function prepare(node: RedisProcess, index: number, primaries: number): Promise<void> {
  await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  if (index >= primaries) return;
  const boundary = (part: number) => Math.floor((part * SLOT_COUNT) / primaries);
  await node.command('CLUSTER', 'ADDSLOTSRANGE', boundary(index), boundary(index + 1) - 1);
}

async function knowsAll(node: RedisProcess, nodes: readonly RedisProcess[]): Promise<boolean> {
  const view = parseClusterNodes(await node.command('CLUSTER', 'NODES')).filter(({ isMeeting }) => !isMeeting);
  return nodes.every(({ port }) => view.some((member) => member.port === port));
}

async function areHealthy(nodes: readonly RedisProcess[]): Promise<boolean> {
  const roles = new Map<number, string>();
  for (const node of nodes) roles.set(node.port, await node.command('INFO', 'replication'));
  const areInSync = [...roles.values()].every((role) => isPrimary(role) || role.includes('master_link_status:up'));
  return areInSync && (await Promise.all(nodes.map((node) => seesOrder(node, roles)))).every(Boolean);
}

/** Whether the node finds every slot served by a living node, and the nodes in the roles that they have. */
async function seesOrder(node: RedisProcess, roles: ReadonlyMap<number, string>): Promise<boolean> {
  if (!(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false;
  const view = parseClusterNodes(await node.command('CLUSTER', 'NODES'));
  const known = view.filter(({ port, isFailing }) => roles.has(port) && !isFailing);
  const areRolesKnown = known.every((member) => member.isPrimary === isPrimary(roles.get(member.port)!));
  const slots = known.flatMap((member) => member.slots).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return known.length === roles.size && areRolesKnown && slots === SLOT_COUNT;
}

function isPrimary(replicationInfo: string): boolean {
  return replicationInfo.includes('role:master');
}
