import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { contest, type Measured } from './harness/rounds';
import { startSurroundings } from './harness/surroundings';
import { generatorNote, idleNotes, throughputSection } from './harness/throughput-section';
import { wrkArguments } from './harness/wrk';
import { nginx } from './sides/nginx';
import { bareHttp, larder, larderGateway, stock, tutorial } from './sides/node-sides';
import { takingPart } from './sides/side';
import { varnish } from './sides/varnish';

const stockInMemory = stock('fastify', 'memory');
const stockWithRedis = stock('fastify', 'redis');

const sides = [
  larder('Larder L1'),
  larder('Larder L1, lane off', { env: { CACHE_FAST_PATH: 'false' } }),
  larder('Larder L2 (L1 off)', { env: { L1_MAX_BYTES: '0' } }),
  larderGateway('Larder gateway, L1'),
  larderGateway('Larder gateway, L2 (L1 off)', { L1_MAX_BYTES: '0' }),
  stockInMemory,
  stockWithRedis,
  stock('express', 'memory'),
  stock('express', 'redis'),
  tutorial,
  nginx,
  varnish,
  bareHttp,
];

const BODIES = [1_300, 100_000] as const;
const yardsticks = {
  [bareHttp.name]: '× bare',
  [stockInMemory.name]: '× stock in memory',
  [stockWithRedis.name]: '× stock redis',
};

/** How many hits a second, ours and theirs, with small and with large bodies. */
export async function hit(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const around = await startSurroundings();
  const data: Record<string, Measured[]> = {};
  try {
    for (const bytes of BODIES) {
      const title = `${bytes} bytes`;
      const what = {
        title,
        sides: chosen.sides,
        path: `/payload/${bytes}`,
        yardsticks: Object.keys(yardsticks),
        around,
      };
      data[title] = await contest(what, options);
    }
  } finally {
    await around.stop();
  }
  const contests = Object.entries(data);
  return {
    question: 'hit',
    asks: 'How many hits a second does one core answer, against what people would use instead?',
    sections: contests.map(([title, measured]) => throughputSection(`Hits, body of ${title}`, measured, yardsticks)),
    notes: [
      ...chosen.notes,
      ...contests.flatMap(([title, measured]) => [...generatorNote(title, measured), ...idleNotes(title, measured)]),
    ],
    commands: BODIES.map((bytes) => {
      const url = `http://127.0.0.1:PORT/payload/${bytes}`;
      return ['taskset -c 0 wrk', ...wrkArguments({ ...options, url })].join(' ');
    }),
    data,
  };
}
