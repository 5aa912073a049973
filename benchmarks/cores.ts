import { cpus } from 'node:os';
import type { BenchOptions } from './harness/options';
import type { Answer } from './harness/report';
import { figure } from './harness/bar-plot';
import { cpuSection } from './harness/cpu-shares';
import { profileNotes, profileSection } from './harness/profile-section';
import { profiledRun, type Profiled } from './harness/profiled-run';
import { contest, type Measured } from './harness/rounds';
import { startSurroundings } from './harness/surroundings';
import { percent } from './harness/tables';
import { generatorNote, throughputSection } from './harness/throughput-section';
import { wrkArguments } from './harness/wrk';
import { nginx, nginxWith } from './sides/nginx';
import { bareHttp, larder } from './sides/node-sides';
import { takingPart } from './sides/side';

/** With two cores, the second worker has to share one with the load generator. */
const allCores = cpus().length > 2 ? `1-${cpus().length - 1}` : '0,1';
const PATH = '/payload/1300';
const ONE = 'Larder, 1 worker';

const ours = [
  larder(ONE, { env: { WORKERS: '1' }, cores: allCores }),
  larder('Larder, 2 workers', { env: { WORKERS: '2' }, cores: allCores }),
];
const sides = [...ours, nginx, nginxWith(2, allCores), bareHttp];

/** What a second worker brings. */
export async function cores(options: BenchOptions): Promise<Answer> {
  const { sides: chosen, notes } = takingPart(sides, options.only);
  const yardsticks = { [ONE]: '× 1 worker', [nginx.name]: '× nginx', [bareHttp.name]: '× bare' };
  const around = await startSurroundings();
  try {
    const title = 'Hits by workers, 1300 bytes';
    const what = { title, sides: chosen, path: PATH, yardsticks: Object.keys(yardsticks), around };
    const measured = await contest(what, options);
    const profiled: Profiled[] = [];
    for (const side of ours.filter((one) => chosen.includes(one))) {
      const profile = await profiledRun(side, { path: PATH, around, options });
      if (profile === undefined) notes.push(`${side.name} ended without a CPU profile of each of its processes.`);
      else profiled.push(profile);
    }
    return {
      question: 'cores',
      asks: 'What does a second worker bring?',
      sections: [
        throughputSection(title, measured, yardsticks),
        cpuSection('What a request takes of the cores, in µs', measured),
        ...(profiled.length > 0 ? [profileSection("Where a worker's time goes", profiled)] : []),
      ],
      notes: [
        ...notes,
        ...generatorNote(title, measured),
        `Larder, and nginx with 2 workers, may use the cores ${allCores}, the others core 1.`,
        ...ceilingNote(measured),
        ...sharedCoreNotes(measured),
        'Of the time on the cores, "user" is the program\'s and "system" the kernel\'s for it, above all for its sockets.',
        ...profileNotes(profiled),
      ],
      commands: [['taskset -c 0 wrk', ...wrkArguments({ ...options, url: `http://127.0.0.1:PORT${PATH}` })].join(' ')],
      data: { measured, profiled: profiled.map((one) => ({ ...one, shares: Object.fromEntries(one.shares) })) },
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

/** What became of the load generator where a second worker had to share its core. */
function sharedCoreNotes(measured: readonly Measured[]): string[] {
  if (cpus().length > 2) return [];
  return measured
    .filter(({ name }) => name.endsWith('2 workers'))
    .map(({ name, generatorCpu, generatorReady, cpu, requestsPerSecond }) => {
      const idle = (cpu.idle * requestsPerSecond.median) / 1e6;
      return (
        `With ${name}, wrk had work for ${percent(generatorReady)} of the time and its core for ${percent(generatorCpu)}, for a worker shared it; ` +
        `${percent(idle)} of a core stayed idle.`
      );
    });
}
