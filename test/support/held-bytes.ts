import { request } from './raw-http';
import type { ServiceProcess } from './service-process';
import { waitUntil } from './wait-until';

/** On SIGCONT, which a service has no other use for, it collects its garbage and prints what it holds. */
const TELL = `process.on('SIGCONT', () => {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  process.stdout.write('held ' + (heapUsed + external) + '\\n');
});`;

/** Arguments of node for a service that `heldBytes` is asked of. */
export const TELLS_HELD_BYTES = ['--expose-gc', '--import', `data:text/javascript,${encodeURIComponent(TELL)}`];

/** What the service's process holds once its garbage is collected: its heap, and buffers outside of that. */
export async function heldBytes(service: ServiceProcess): Promise<number> {
  const readings = (): number[] => [...service.stdout().matchAll(/^held (\d+)$/gm)].map(([, bytes]) => Number(bytes));
  const before = readings().length;
  service.kill('SIGCONT');
  await waitUntil(() => readings().length > before, { what: 'what the service holds', pollMs: 20 });
  return readings().at(-1) ?? NaN;
}

/** What the service counts of its entries, of what is prepared of them and of what leads to them, in bytes, and how many entries it has. */
export async function countedBytes({
  url,
}: ServiceProcess): Promise<{ entries: number; l1: number; prepared: number; pointers: number; all: number }> {
  const text = (await request(`${url}/metrics`)).body.toString();
  const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  const [l1, prepared] = [read('larder_l1_bytes'), read('larder_prepared_responses_bytes')];
  const pointers = read('larder_hit_pointers_bytes');
  return { entries: read('larder_l1_entries'), l1, prepared, pointers, all: l1 + prepared + pointers };
}
