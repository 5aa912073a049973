import { cpus } from 'node:os';
import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { contest } from './harness/rounds';
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
      notes: [...notes, ...generatorNote(title, measured), `Larder may use the cores ${allCores}, the others core 1.`],
      commands: [['taskset -c 0 wrk', ...wrkArguments({ ...options, url: `http://127.0.0.1:PORT${PATH}` })].join(' ')],
      data: measured,
    };
  } finally {
    await around.stop();
  }
}
