import { request } from '../test/support/raw-http';
import type { RedisProcess } from '../test/support/redis-process';
import { figure } from './harness/bar-plot';
import type { BenchOptions } from './harness/options';
import { tell } from './harness/progress';
import { keyUsage, usedMemory } from './harness/redis-usage';
import type { Answer } from './harness/report';
import { startSurroundings } from './harness/surroundings';
import { larder, stock, tutorial } from './sides/node-sides';
import { takingPart, type Side, type Surroundings } from './sides/side';

const ENTRIES = 10_000;
/** So many that what a process has once is there before: compiled code, the 2 MiB of remembered indexes. */
const WARM_UP = 5_000;
const AT_ONCE = 20;
const nodeArgs = ['--expose-gc'];
/** Room for all of them, and no collection that looks like an outage of Redis: what leaves memory is not measured. */
const env = { L1_MAX_BYTES: String(256 * 1_048_576), REDIS_COMMAND_TIMEOUT_MS: '5000' };

const USERS = '/users/';
const sides: readonly Side[] = [
  larder('Larder, L1 over Redis', { env, nodeArgs, accountPath: USERS }),
  larder('Larder, in memory', { env, withRedis: false, nodeArgs, accountPath: USERS }),
  larder('Larder gateway, L1 over Redis', { env, nodeArgs, accountPath: `/github${USERS}` }),
  stock('fastify', 'memory', nodeArgs),
  stock('fastify', 'redis', nodeArgs),
  tutorial,
];

/** Bytes per entry; undefined where there is none in that place. */
interface Usage {
  readonly side: string;
  readonly bodyBytes: number;
  /** What MEMORY USAGE tells of the keys that hold entries. */
  readonly redisEntry: number | undefined;
  /** The growth of used_memory: tags, and Redis' own tables too. */
  readonly redisAll: number | undefined;
  /** The growth of the process after a collection. */
  readonly heap: number | undefined;
  /** The growth of what /metrics tells of entries, prepared responses and hit pointers. A URL may have several entries. */
  readonly l1: number | undefined;
}

/** What an entry takes in Redis and in the process, for GitHub's user as the simulator gives it. */
export async function memory(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const around = await startSurroundings();
  const usages: Usage[] = [];
  try {
    for (const side of chosen.sides) {
      await around.redis.command('FLUSHALL');
      usages.push(await measure(side, around, around.redis));
      tell(`  ${side.name}: ${JSON.stringify(usages.at(-1))}`);
    }
  } finally {
    await around.stop();
  }
  const cell = (bytes: number | undefined): string => (bytes === undefined ? '' : figure(bytes));
  return {
    question: 'memory',
    asks: `How many bytes does an entry take? ${ENTRIES} GitHub users, each by itself.`,
    sections: [
      {
        title: 'Bytes per entry',
        columns: ['side', 'body', 'Redis, the entry', 'Redis, in all', 'process', 'L1 as told'],
        rows: usages.map(({ side, bodyBytes, redisEntry, redisAll, heap, l1 }) => [
          ...[side, figure(bodyBytes), cell(redisEntry), cell(redisAll), cell(heap), cell(l1)],
        ]),
        plot: {
          unit: 'bytes per entry in Redis',
          bars: usages.flatMap(({ side, redisEntry }) =>
            redisEntry === undefined ? [] : [{ label: side, value: redisEntry, isOurs: side.startsWith('Larder') }],
          ),
        },
      },
    ],
    notes: [
      ...chosen.notes,
      '"Redis, the entry" is MEMORY USAGE of the keys that an answer is read from: of the gateway two, the index of the URL and the variant, with all of GitHub\'s header fields. "In all" is the growth of used_memory, tags and tables included.',
      `"process" is the growth of heap and buffers after a collection, "L1 as told" the growth that /metrics reports; both are for one URL, after ${WARM_UP} others.`,
    ],
    commands: [],
    data: usages,
  };
}

async function measure(side: Side, around: Surroundings, redis: RedisProcess): Promise<Usage> {
  const server = await side.start(around);
  try {
    const users = `${server.url}${side.accountPath ?? USERS}`;
    await fill(users, 'warm', WARM_UP);
    await fill(users, 'warm', WARM_UP);
    const heapBefore = await heldBytes(server.url);
    const toldBefore = await toldBytes(server.url);
    const redisBefore = await usedMemory(redis);
    const bodyBytes = await fill(users, 'entry', ENTRIES);
    await fill(users, 'entry', ENTRIES); // a tier over Redis may take an entry only when it is asked for again
    const heapAfter = await heldBytes(server.url);
    const toldAfter = await toldBytes(server.url);
    const redisAfter = await usedMemory(redis);
    const keys = await keyUsage(redis, 'users[:/]entry%-%d+[}|]?');
    const usesRedis = keys.count > 0;
    const usesHeap = heapBefore !== undefined && heapAfter !== undefined && !/@keyv|tutorial/.test(side.name);
    return {
      ...{ side: side.name, bodyBytes },
      l1: toldAfter === undefined ? undefined : (toldAfter - (toldBefore ?? 0)) / ENTRIES,
      redisEntry: usesRedis ? keys.bytes / ENTRIES : undefined,
      redisAll: usesRedis ? (redisAfter - redisBefore) / ENTRIES : undefined,
      heap: usesHeap ? (heapAfter - heapBefore) / ENTRIES : undefined,
    };
  } finally {
    await server.stop();
  }
}

/** Asks for so many accounts; returns the mean size of their bodies. */
async function fill(users: string, prefix: string, count: number): Promise<number> {
  let bytes = 0;
  for (let from = 1; from <= count; from += AT_ONCE) {
    const numbers = Array.from({ length: AT_ONCE }, (_, at) => from + at);
    const answers = await Promise.all(numbers.map((number) => request(`${users}${prefix}-${number}`)));
    for (const { status, body } of answers) {
      if (status !== 200) throw new Error(`${users} answered ${status}`);
      bytes += body.length;
    }
  }
  return bytes / count;
}

async function heldBytes(url: string): Promise<number | undefined> {
  // a collection right away would still see what the last answers left behind
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { status, body } = await request(`${url}/heap`);
  if (status !== 200) return undefined;
  return (JSON.parse(body.toString()) as { bytes: number }).bytes;
}

/** Undefined for those who tell of no entries. */
async function toldBytes(url: string): Promise<number | undefined> {
  const { status, body } = await request(`${url}/metrics`);
  if (status !== 200) return undefined;
  const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body.toString())?.[1]);
  const all = ['larder_l1_bytes', 'larder_prepared_responses_bytes', 'larder_hit_pointers_bytes'];
  return all.reduce((sum, name) => sum + read(name), 0);
}
