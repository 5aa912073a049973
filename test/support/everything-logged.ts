import { request } from './raw-http';
import type { ServiceProcess } from './service-process';
import { waitUntil } from './wait-until';

let marks = 0;

/** All that the service has printed until now: a line waits for others before it is written, so one more is waited for. */
export async function everythingLogged(service: ServiceProcess): Promise<string> {
  const mark = `mark-${(marks += 1)}`;
  await request(`${service.url}/repos/${mark}`);
  await waitUntil(() => service.stdout().includes(mark), { what: 'the line of the last request' });
  return service.stdout() + service.stderr();
}
