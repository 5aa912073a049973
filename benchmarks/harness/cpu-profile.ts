import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What V8 writes, as far as it is read here: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** In microseconds, on the clock of `process.hrtime`. */
  readonly startTime: number;
  /** The nodes that were at work, one look after the other. */
  readonly samples: readonly number[];
  /** Microseconds since the look before; the first one since `startTime`. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** A function, and the time that it took without what it called. */
export interface SelfTime {
  /** In parentheses for what is none: idle, garbage collector, program. */
  readonly functionName: string;
  /** Empty for native code. */
  readonly url: string;
  /** The file of the nearest caller that has one, its own included; empty for none. */
  readonly callerUrl: string;
  readonly micros: number;
}

/** The arguments that make a Node process, and its workers, write a profile into the folder at a clean exit. */
export function profileArguments(folder: string): string[] {
  return ['--cpu-prof', '--cpu-prof-dir', folder];
}

/** What the main thread of the process wrote; undefined if it did not end cleanly. */
export function findProfile(folder: string, pid: number): CpuProfile | undefined {
  // CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile
  const file = readdirSync(folder).find((name) => new RegExp(`\\.${pid}\\.0\\.\\d+\\.cpuprofile$`).test(name));
  return file === undefined ? undefined : (JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile);
}

/** The self times between two instants, each node by itself. A look stands for the time until the next one. */
export function selfTimes(profile: CpuProfile, fromMicros: number, toMicros: number): SelfTime[] {
  const { nodes, samples, timeDeltas, startTime } = profile;
  const micros = new Map<number, number>();
  let at = startTime;
  samples.forEach((node, index) => {
    at += timeDeltas[index] ?? 0;
    const until = at + (timeDeltas[index + 1] ?? 0);
    const inside = Math.min(until, toMicros) - Math.max(at, fromMicros);
    if (inside > 0) micros.set(node, (micros.get(node) ?? 0) + inside);
  });
  const callers = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)));
  const callerUrl = (node: ProfileNode | undefined): string =>
    node === undefined ? '' : node.callFrame.url || callerUrl(callers.get(node.id));
  return nodes.flatMap((node) => {
    const own = micros.get(node.id);
    if (own === undefined) return [];
    const { functionName, url } = node.callFrame;
    return [{ functionName, url, callerUrl: callerUrl(node), micros: own }];
  });
}
