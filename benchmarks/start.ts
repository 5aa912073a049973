import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { figure } from './harness/bar-plot';
import { peerScript, projectRoot } from './harness/folders';
import type { BenchOptions } from './harness/options';
import { tell } from './harness/progress';
import type { Answer } from './harness/report';
import { startNode } from './harness/server-process';
import { spreadOf } from './harness/statistics';
import { fromTo } from './harness/tables';

/** When the memory of a process without requests is read, after its start. V8 gives nothing more back while nothing is allocated. */
const IDLE_MS = 5_000;

const EMPTY = 'empty Nest on Fastify';
const sides: Readonly<Record<string, { readonly script: string; readonly env: Readonly<Record<string, string>> }>> = {
  [EMPTY]: { script: peerScript('empty-nest'), env: {} },
  Larder: {
    script: join(projectRoot, 'dist/src/main.js'),
    env: { HOST: '127.0.0.1', ADMIN_TOKEN: 'benchmarks-only', LOG_LEVEL: 'warn' },
  },
};

interface Start {
  /** From the start of the process to its first answer. */
  readonly ms: number;
  readonly residentMb: number;
}

/** What the service costs before anybody asks it. */
export async function start({ rounds }: BenchOptions): Promise<Answer> {
  const starts = new Map<string, Start[]>(Object.keys(sides).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1)
    for (const [name, { script, env }] of Object.entries(sides)) {
      const one = await measure(script, env);
      if (round > 0) starts.get(name)?.push(one); // the first brings the files into memory
      tell(`  round ${round}: ${name} ${figure(one.ms)} ms, ${figure(one.residentMb)} MB`);
    }
  const rows = [...starts].map(([name, each]) => ({
    name,
    ms: spreadOf(each.map(({ ms }) => ms)),
    residentMb: spreadOf(each.map(({ residentMb }) => residentMb)),
    timesMemory: spreadOf(each.map(({ residentMb }, at) => residentMb / (starts.get(EMPTY)?.[at]?.residentMb ?? NaN))),
  }));
  return {
    question: 'start',
    asks: 'How long does a start take, and how much memory does an idle process hold?',
    sections: [
      {
        title: 'From the start of the process to its first answer, and its memory then',
        columns: ['side', 'ms', 'from–to', 'MB', 'from–to', '× empty'],
        rows: rows.map(({ name, ms, residentMb, timesMemory }) => [
          ...[name, figure(ms.median), fromTo(ms)],
          ...[figure(residentMb.median), fromTo(residentMb), figure(timesMemory.median)],
        ]),
        plot: {
          unit: 'ms to the first answer',
          bars: rows.map(({ name, ms: { median, min, max } }) => ({
            ...{ label: name, value: median, min, max },
            isOurs: name === 'Larder',
          })),
        },
      },
    ],
    notes: [
      `Memory is the resident set (VmRSS) ${IDLE_MS / 1_000} s after the first answer, without a request in between. The service has its page, metrics, documentation, GitHub and Stack Exchange on, and no Redis.`,
    ],
    commands: [],
    data: rows,
  };
}

async function measure(script: string, env: Readonly<Record<string, string>>): Promise<Start> {
  const startedAt = performance.now();
  const server = await startNode(script, env, { readyPath: '/health/live' });
  const ms = performance.now() - startedAt;
  try {
    await pause(IDLE_MS);
    const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8')) ?? [];
    return { ms, residentMb: Number(kb) / 1_000 };
  } finally {
    await server.stop();
  }
}
