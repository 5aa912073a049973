import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { countedBytes, heldBytes, TELLS_HELD_BYTES } from '../test/support/held-bytes';
import { request } from '../test/support/raw-http';
import { ScriptedOrigin } from '../test/support/scripted-origin';
import { ServiceProcess } from '../test/support/service-process';
import { figure } from './harness/bar-plot';
import { projectRoot } from './harness/folders';
import type { BenchOptions } from './harness/options';
import { tell } from './harness/progress';
import type { Answer } from './harness/report';

const URLS = 200_000;
const READS = 3;
const WARM_UP = 3_000;
const AT_ONCE = 32;
const STEPS = 20;
const BODY_BYTES = 1_300;
const MB = 1_000_000;
/** The default of `L1_MAX_BYTES`. */
const L1_BYTES = 67_108_864;

interface Endured {
  readonly heapMib: number;
  /** What of `L1_MAX_BYTES` is used, as the start says. */
  readonly l1Bytes: number;
  readonly entries: number;
  readonly countedBytes: number;
  /** The growth of what the process holds after a collection. */
  readonly grownBytes: number;
  readonly peakResidentBytes: number;
  readonly residentBytes: readonly number[];
}

/** Whether the service survives more URLs than it has memory for, in a small heap, with the default settings. */
export async function endurance({ only }: BenchOptions): Promise<Answer> {
  const rows: Endured[] = [];
  for (const heapMib of [192, 512])
    if (only === undefined || only === String(heapMib)) rows.push(await endure(heapMib));
  return {
    question: 'endurance',
    asks: `Does the process survive ${figure(URLS)} URLs of ${figure(BODY_BYTES)} bytes, each read ${READS} times through the gateway, with the default L1_MAX_BYTES and no Redis?`,
    sections: [
      {
        title: 'Memory of the process, in MB',
        columns: ['--max-old-space-size', 'L1 used', 'entries kept', 'counted', 'grown by', '÷ L1', 'resident, peak'],
        rows: rows.map(({ heapMib, l1Bytes, entries, countedBytes: counted, grownBytes, peakResidentBytes }) => [
          ...[`${heapMib} MiB`, figure(l1Bytes / MB), figure(entries), figure(counted / MB), figure(grownBytes / MB)],
          ...[(grownBytes / l1Bytes).toFixed(2), figure(peakResidentBytes / MB)],
        ]),
      },
    ],
    notes: [
      '"L1 used" is L1_MAX_BYTES, or what of it fits into the heap, as the start says; "counted" what /metrics tells of entries, prepared responses and hit pointers; "grown by" how much more the process holds after a collection than before the URLs; "resident, peak" the largest VmRSS.',
      'The process survived: it answered every request with 200 and has not been started again.',
    ],
    commands: [],
    data: rows,
  };
}

async function endure(heapMib: number): Promise<Endured> {
  const origin = await ScriptedOrigin.start((response, { url }) => {
    origin.hits.length = 0;
    const fields = { 'cache-control': 'public, max-age=3600', 'content-type': 'application/json; charset=utf-8' };
    response.writeHead(200, { ...fields, server: 'github.com', etag: `"${url}"` });
    response.end(bodyOf(url));
  });
  const service = await ServiceProcess.start({
    env: { GITHUB_API_URL: origin.url, LOG_LEVEL: 'warn', GITHUB_POINTS_PER_MINUTE: '0' },
    entry: join(projectRoot, 'dist/src/main.js'),
    nodeArgs: [`--max-old-space-size=${heapMib}`, ...TELLS_HELD_BYTES],
  });
  const [, used] = /([\d.]+) MiB are used/.exec(service.stdout()) ?? [];
  const l1Bytes = used === undefined ? L1_BYTES : Number(used) * 1_048_576;
  const residentBytes: number[] = [];
  try {
    await read(service, 'warm', 0, WARM_UP);
    const [before, counted] = [await heldBytes(service), (await countedBytes(service)).all];
    for (let step = 0; step < STEPS; step++) {
      await read(service, 'entry', (URLS / STEPS) * step, (URLS / STEPS) * (step + 1));
      residentBytes.push(vm(service, 'VmRSS'));
      tell(`  ${heapMib} MiB: ${figure((URLS / STEPS) * (step + 1))} URLs, ${figure(vm(service, 'VmRSS') / MB)} MB`);
    }
    const { entries, all } = await countedBytes(service);
    // The warm-up's entries were counted and held before.
    const grownBytes = (await heldBytes(service)) - before + counted;
    return {
      ...{ heapMib, l1Bytes, entries, countedBytes: all, grownBytes, residentBytes },
      peakResidentBytes: vm(service, 'VmHWM'),
    };
  } finally {
    await service.stop();
    await origin.stop();
  }
}

function vm({ pid }: ServiceProcess, name: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024;
}

async function read(service: ServiceProcess, prefix: string, from: number, to: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const ask = async (first: number): Promise<void> => {
    for (let at = first; at < to; at += AT_ONCE)
      for (let time = 0; time < READS; time++) {
        const { status } = await request(`${service.url}/github/things/${prefix}-${at}`, { agent });
        if (status !== 200) throw new Error(`${prefix}-${at} answered ${status}`);
      }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => ask(from + at)));
  } finally {
    agent.destroy();
  }
}

/** JSON that gzip makes about half as long, as it does of GitHub's. */
function bodyOf(url: string): string {
  let text = `{"login":"x","url":"${url}"`;
  for (let at = 0; text.length < BODY_BYTES - 30; at++)
    text += `,"member_${at}":"${Math.random().toString(36).slice(2, 12)}"`;
  return `${text}}`;
}
