import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnedProcess } from '../../test/support/owned-process';
import { makeTempFolder, removeTempFolder } from '../../test/support/temp-folder';
import { GENERATOR_CORE } from './options';
import { shareOfCore, watch, type Watched } from './watch';

/** What one run of wrk told. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not 2xx or 3xx, and sockets that failed. */
  readonly errors: number;
  /** The share of a core, 0 to 1, that the load generator took. */
  readonly generatorCpu: number;
  /** The share of a core that the server took, its children too. */
  readonly serverCpu: number;
  /** What each process took. */
  readonly watched: Watched;
}

export interface Load {
  readonly url: string;
  readonly serverPid: number;
  readonly seconds: number;
  readonly connections: number;
  readonly headers?: readonly string[];
  /** Lua, in which wrk makes its requests. */
  readonly script?: string;
}

/** The arguments of wrk, for the report as well. */
export function wrkArguments({ url, seconds, connections, headers = [] }: Omit<Load, 'serverPid'>): string[] {
  const fields = headers.flatMap((field) => ['-H', field]);
  return ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...fields, url];
}

/** One run against one server. */
export async function generateLoad(load: Load): Promise<LoadResult> {
  const folder = makeTempFolder('wrk');
  const script = join(folder, 'requests.lua');
  if (load.script !== undefined) writeFileSync(script, load.script);
  const scripted = load.script === undefined ? [] : ['-s', script];
  const wrk = OwnedProcess.spawn('taskset', ['-c', String(GENERATOR_CORE), 'wrk', ...scripted, ...wrkArguments(load)]);
  const watched = watch(load.serverPid, wrk.pid ?? 0);
  // wrk runs until it is looked at for the last time
  await new Promise((resolve) => setTimeout(resolve, load.seconds * 1_000 - 100));
  const told = watched();
  const [generatorCpu, serverCpu] = [shareOfCore(told, told.generator), shareOfCore(told, told.server)];
  const code = await wrk.exited;
  removeTempFolder(folder);
  if (code !== 0) throw new Error(`wrk ended with code ${code}: ${wrk.output()}`);
  return { ...parseWrk(wrk.stdout()), generatorCpu, serverCpu, watched: told };
}

/** Reads wrk's report. */
export function parseWrk(text: string): Omit<LoadResult, 'generatorCpu' | 'serverCpu' | 'watched'> {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  if (rate === undefined) throw new Error(`wrk printed no rate:\n${text}`);
  const statuses = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  return {
    requestsPerSecond: Number(rate),
    p50Ms: percentile(text, '50'),
    p99Ms: percentile(text, '99'),
    errors: sockets.reduce((sum, one) => sum + Number(one), statuses),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };

function percentile(text: string, name: string): number {
  const [, value, unit] = new RegExp(`^\\s+${name}%\\s+([\\d.]+)(us|ms|s|m)`, 'm').exec(text) ?? [];
  return value === undefined ? NaN : Number(value) * (UNIT_MS[unit ?? 'ms'] ?? 1);
}
