import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { contest, type Measured } from './harness/rounds';
import { startSurroundings } from './harness/surroundings';
import { generatorNote, idleNotes, throughputSection } from './harness/throughput-section';
import { wrkArguments } from './harness/wrk';
import { nginx, nginxTls } from './sides/nginx';
import { bareHttp, bareHttps, larder, larderGateway, stock, tutorial } from './sides/node-sides';
import { asking, takingPart } from './sides/side';
import { varnish } from './sides/varnish';

const stockInMemory = stock('fastify', 'memory');
const stockWithRedis = stock('fastify', 'redis');

const sides = [
  larder('Larder L1'),
  larder('Larder L1, fast path off', { env: { CACHE_FAST_PATH: 'false' } }),
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

const gateway = larderGateway('Larder gateway');
const route = larder('Larder route');
const TURNS = `local at = 0
local kinds = { "application/json", "text/html", "text/plain", "*/*" }
request = function()
  at = at % #kinds + 1
  return wrk.format("GET", nil, { ["Accept"] = kinds[at], ["Host"] = "bench" })
end`;

/** Every form of a fresh hit in memory that wrk can ask for: it waits for the body of a HEAD, and speaks no HTTP/1.0. */
const forms = [
  ...[gateway, route].flatMap((side) => [
    asking(side, 'plain', {}),
    asking(side, 'max-age', { headers: ['Cache-Control: max-age=3600'] }),
    asking(side, 'min-fresh', { headers: ['Cache-Control: min-fresh=1'] }),
    asking(side, 'max-stale', { headers: ['Cache-Control: max-stale'] }),
    asking(side, 'only-if-cached', { headers: ['Cache-Control: only-if-cached'] }),
    asking(side, 'no-transform', { headers: ['Cache-Control: no-transform'] }),
    asking(side, 'If-None-Match', { headers: ['If-None-Match: "a", "b", *'] }),
    asking(side, 'If-Modified-Since', { headers: ['If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT'] }),
    asking(side, 'Range', { headers: ['Range: bytes=100-299'] }),
    asking(side, 'variants in turn', { script: TURNS }),
    asking(side, 'cookies', { headers: ['Cookie: session=one; theme=dark'] }),
  ]),
  asking(larderGateway('Larder gateway', { BENCH_MIDDLEWARE: '/other' }), 'middleware for other paths', {}),
  asking(larder('Larder route', { env: { BENCH_MIDDLEWARE: '/other' } }), 'middleware for other paths', {}),
  ...[gateway, route, bareHttp].map((side) => asking(side, 'Connection: close', { headers: ['Connection: close'] })),
  bareHttp,
];

/** On connections that stay open: the handshake is not measured. */
const overTls = [larderGateway('Larder gateway, TLS', {}, { isTls: true }), nginxTls, bareHttps];

const BODIES = [1_300, 100_000] as const;
const FORMS = '1300 bytes, by form of the request';
const TLS = '1300 bytes, over TLS';
/** What sides are compared with, by contest. */
const others: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [FORMS]: { [bareHttp.name]: '× bare' },
  [TLS]: { [bareHttps.name]: '× bare', [nginxTls.name]: '× nginx' },
};
const yardsticks = {
  [bareHttp.name]: '× bare',
  [stockInMemory.name]: '× stock in memory',
  [stockWithRedis.name]: '× stock redis',
};

/** How many hits a second, ours and theirs, with small and with large bodies. */
export async function hit(options: BenchOptions): Promise<Answer> {
  const chosen = takingPart(sides, options.only);
  const chosenForms = takingPart(forms, options.only);
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
    for (const [title, { sides }] of [
      [FORMS, chosenForms],
      [TLS, takingPart(overTls, options.only)],
    ] as const) {
      const what = { title, sides, path: '/payload/1300', yardsticks: Object.keys(others[title] ?? {}), around };
      data[title] = await contest(what, options);
    }
  } finally {
    await around.stop();
  }
  const contests = Object.entries(data);
  return {
    question: 'hit',
    asks: 'How many hits a second does one core answer, against what people would use instead?',
    sections: contests.map(([title, measured]) =>
      throughputSection(`Hits, body of ${title}`, measured, others[title] ?? yardsticks),
    ),
    notes: [
      ...new Set([...chosen.notes, ...chosenForms.notes]),
      ...contests.flatMap(([title, measured]) => [...generatorNote(title, measured), ...idleNotes(title, measured)]),
    ],
    commands: BODIES.map((bytes) => {
      const url = `http://127.0.0.1:PORT/payload/${bytes}`;
      return ['taskset -c 0 wrk', ...wrkArguments({ ...options, url })].join(' ');
    }),
    data,
  };
}
