import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { makeTempFolder, removeTempFolder } from '../../test/support/temp-folder';
import type { Side, Surroundings } from '../sides/side';
import { processTimes, type ProcessTime } from './cpu-time';
import { findProfile, profileArguments, selfTimes, type SelfTime } from './cpu-profile';
import { SERVER_CORE, type BenchOptions } from './options';
import { sharesByGroup } from './profile-groups';
import { tell } from './progress';
import { generateLoad, type LoadResult } from './wrk';

/** What the profiles of the processes that answered say. */
export interface Profiled {
  readonly name: string;
  readonly requestsPerSecond: number;
  /** The processes that answered and wrote a profile. */
  readonly processes: number;
  /** Each group's share of their time, 0 to 1. */
  readonly shares: ReadonlyMap<string, number>;
}

interface Profiling {
  readonly path: string;
  readonly around: Surroundings;
  readonly options: BenchOptions;
}

/** One run more of a side of Node's, in which its processes write a profile; undefined if one of them did not. */
export async function profiledRun(side: Side, { path, around, options }: Profiling): Promise<Profiled | undefined> {
  const folder = makeTempFolder('profile');
  try {
    const server = await side.start(around, profileArguments(folder));
    const run = async (): Promise<LoadResult> => {
      answering(processTimes(server.pid)).forEach(({ pid }, at) => bind(pid, (SERVER_CORE + at) % cpus().length));
      const load = { ...options, url: `${server.url}${path}`, serverPid: server.pid };
      await generateLoad(load); // warms it
      return generateLoad(load);
    };
    const { requestsPerSecond, watched } = await run().finally(() => server.stop()); // the profiles are written now
    const pids = answering(watched.server).map(({ pid }) => pid);
    const profiles = pids.map((pid) => findProfile(folder, pid)).filter((found) => found !== undefined);
    tell(`  with a CPU profile: ${side.name} ${Math.round(requestsPerSecond)}/s, ${profiles.length} profiles`);
    if (profiles.length < Math.max(1, pids.length)) return undefined;
    const times = profiles.flatMap((each): SelfTime[] => selfTimes(each, watched.fromMicros, watched.toMicros));
    return { name: side.name, requestsPerSecond, processes: profiles.length, shares: sharesByGroup(times) };
  } finally {
    removeTempFolder(folder);
  }
}

/** With workers, the first process serves nothing itself. */
function answering(processes: readonly ProcessTime[]): readonly ProcessTime[] {
  return processes.length === 1 ? processes : processes.slice(1);
}

/**
 * Binds all the threads of a process to one core. V8 looks at the main thread by a signal from another one: sent from another core,
 * it arrives when the main thread next calls the kernel, and the calls seem longer than they are.
 */
function bind(pid: number, core: number): void {
  execFileSync('taskset', ['-acp', String(core), String(pid)]);
}
