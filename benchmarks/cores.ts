import { cpus } from 'node:os';
import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { figure } from './harness/bar-plot';
import { contest, type Measured } from './harness/rounds';
import { startSurroundings } from './harness/surroundings';
import { generatorNote, throughputSection } from './harness/throughput-section';
import { wrkArguments } from './harness/wrk';
import { nginx } from './sides/nginx';
import { bareHttp, larder } from './sides/node-sides';
import { takingPart } from './sides/side';

/** With two cores, the second worker has to share one with the load generator. */
const allCores = cpus().length > 2 ? `1-${cpus().length - 1}` : '0,1';
const PATH = '/payload/1300';
const ONE = 'Larder, 1 worker';

const sides = [
  larder(ONE, { env: { WORKERS: '1' }, cores: allCores }),
  larder('Larder, 2 workers', { env: { WORKERS: '2' }, cores: allCores }),
  nginx,
  bareHttp,
];

/** What a second worker brings. */
export async function cores(options: BenchOptions): Promise<Answer> {
  const { sides: chosen, notes } = takingPart(sides, options.only);
  const yardsticks = { [ONE]: '× 1 worker', [nginx.name]: '× nginx', [bareHttp.name]: '× bare' };
  const around = await startSurroundings();
  try {
    const title = 'Hits by workers, 1300 bytes';
    const what = { title, sides: chosen, path: PATH, yardsticks: Object.keys(yardsticks), around };
    const measured = await contest(what, options);
    return {
      question: 'cores',
      asks: 'What does a second worker bring?',
      sections: [throughputSection(title, measured, yardsticks)],
      notes: [
        ...notes,
        ...generatorNote(title, measured),
        `Larder may use the cores ${allCores}, the others core 1.`,
        ...ceilingNote(measured),
      ],
      commands: [['taskset -c 0 wrk', ...wrkArguments({ ...options, url: `http://127.0.0.1:PORT${PATH}` })].join(' ')],
      data: measured,
    };
  } finally {
    await around.stop();
  }
}

/** What all the cores could do at most, if nobody ever waited: the load generator needs its share of them. */
function ceilingNote(measured: readonly Measured[]): string[] {
  const [one, peer] = [ONE, nginx.name].map((name) => measured.find((side) => side.name === name));
  if (one === undefined || peer === undefined) return [];
  const rate = one.requestsPerSecond.median;
  const [server, generator] = [one.serverCpu / rate, one.generatorCpu / rate];
  const ceiling = cpus().length / (server + generator);
  const micros = (seconds: number): string => `${figure(seconds * 1e6)} µs`;
  return [
    `With one worker a request took the server ${micros(server)} and wrk ${micros(generator)} of a core: ${cpus().length} cores together can do ` +
      `${figure(ceiling)}/s at most, ${figure(ceiling / peer.requestsPerSecond.median)} × nginx.`,
  ];
}
