import { idleSeconds, processTimes, type ProcessTime } from './cpu-time';

/** What happened on the cores during a part of a run; times in seconds. */
export interface Watched {
  /** On the clock that `process.hrtime` and CPU profiles have in common, in microseconds. */
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly seconds: number;
  /** What the server's processes took, the one that was started first. */
  readonly server: readonly ProcessTime[];
  readonly generator: readonly ProcessTime[];
  /** All cores of the machine together. */
  readonly idleSeconds: number;
}

/** Starts to look at a server and at the load generator, and returns what tells what they have taken since. */
export function watch(serverPid: number, generatorPid: number): () => Watched {
  const look = () => ({
    atMicros: Number(process.hrtime.bigint()) / 1_000,
    server: processTimes(serverPid),
    generator: processTimes(generatorPid),
    idleSeconds: idleSeconds(),
  });
  const before = look();
  return () => {
    const after = look();
    return {
      fromMicros: before.atMicros,
      toMicros: after.atMicros,
      seconds: (after.atMicros - before.atMicros) / 1e6,
      server: since(before.server, after.server),
      generator: since(before.generator, after.generator),
      idleSeconds: after.idleSeconds - before.idleSeconds,
    };
  };
}

/** The share of one core, over 1 for more than one. */
export function shareOfCore({ seconds }: Watched, processes: readonly ProcessTime[]): number {
  return processes.reduce((sum, { user, system }) => sum + user + system, 0) / seconds;
}

/** The share of the time in which the processes were ready to run while others had the core. */
export function waitingShare({ seconds }: Watched, processes: readonly ProcessTime[]): number {
  return processes.reduce((sum, { waiting }) => sum + waiting, 0) / seconds;
}

function since(before: readonly ProcessTime[], after: readonly ProcessTime[]): ProcessTime[] {
  return after.map((now) => {
    const then = before.find(({ pid }) => pid === now.pid);
    if (then === undefined) return now;
    return {
      pid: now.pid,
      user: now.user - then.user,
      system: now.system - then.system,
      waiting: now.waiting - then.waiting,
    };
  });
}
