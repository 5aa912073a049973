import { cpus } from 'node:os';
import { figure } from './bar-plot';
import type { ProcessTime } from './cpu-time';
import type { Section } from './report';
import type { LoadResult } from './wrk';

/** What a request of a side took of the cores in one process, in microseconds. */
export interface ProcessShare {
  readonly process: string;
  readonly user: number;
  readonly system: number;
  /** Ready to run, while others had the core. */
  readonly waiting: number;
}

/** What a request of a side took of the cores, over all its rounds. */
export interface CpuShares {
  /** The server's processes, the primary first where there are several, and the load generator. */
  readonly processes: readonly ProcessShare[];
  /** What the cores of the machine together did not use. */
  readonly idle: number;
}

const PARTS = ['user', 'system', 'waiting'] as const;
const TOO_LITTLE = 0.005;

export function cpuShares(results: readonly LoadResult[]): CpuShares {
  const requests = results.reduce(
    (sum, { requestsPerSecond, watched }) => sum + requestsPerSecond * watched.seconds,
    0,
  );
  const share = (process: string, times: readonly ProcessTime[]): ProcessShare => {
    const [user = 0, system = 0, waiting = 0] = PARTS.map(
      (part) => (times.reduce((sum, time) => sum + time[part], 0) / requests) * 1e6,
    );
    return { process, user, system, waiting };
  };
  const server = byPlace(results.map(({ watched }) => watched.server)).map((times, at, { length }) =>
    share(length === 1 ? 'server' : at === 0 ? 'primary' : `worker ${at}`, times),
  );
  return {
    processes: [
      ...server.filter(({ process, user, system }) => process === 'primary' || user + system > TOO_LITTLE),
      share(
        'wrk',
        results.flatMap(({ watched }) => watched.generator),
      ),
    ],
    idle: (results.reduce((sum, { watched }) => sum + watched.idleSeconds, 0) / requests) * 1e6,
  };
}

/** The table of all sides. */
export function cpuSection(
  title: string,
  sides: readonly { readonly name: string; readonly cpu: CpuShares }[],
): Section {
  return {
    title,
    columns: ['side', 'process', 'user', 'system', 'user + system', 'waited for a core'],
    rows: sides.flatMap(({ name, cpu }) => [
      ...cpu.processes.map(({ process, user, system, waiting }) => [
        ...[name, process, figure(user), figure(system), figure(user + system), figure(waiting)],
      ]),
      [name, `${cpus().length} cores, idle`, '', '', figure(cpu.idle), ''],
    ]),
  };
}

/** The times of those together that were started first, second and so on in their round: each has processes of its own. */
function byPlace(rounds: readonly (readonly ProcessTime[])[]): ProcessTime[][] {
  const most = Math.max(0, ...rounds.map(({ length }) => length));
  return Array.from({ length: most }, (_, at) => rounds.flatMap((times) => times[at] ?? []));
}
