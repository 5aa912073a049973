import { EventClient } from './event-client';
import { request } from './raw-http';
import { ServiceProcess } from './service-process';

export interface Figures {
  readonly at: number;
  readonly requests: Record<string, number>;
  readonly latencyMs: Record<string, { p50: number; p99: number }>;
  readonly upstream: { calls: number; saved: number };
  readonly l1: { entries: number };
  readonly store: Record<string, unknown>;
  readonly replicas: { id: string; pid: number; workers: number; requests: number; isUp: boolean }[];
  readonly [name: string]: unknown;
}

const clients: EventClient[] = [];

export async function watch(
  service: ServiceProcess,
  headers: Record<string, string> = {},
  query = '',
): Promise<EventClient> {
  const client = await EventClient.open(`${service.url}/events${query}`, headers);
  clients.push(client);
  return client;
}

export const figuresOf = (client: EventClient): Figures[] =>
  client.of('figures').map(({ data }) => data as unknown as Figures);

/** What a client was told of, from a moment on. */
export const counted = (client: EventClient, from = 0): number =>
  figuresOf(client)
    .slice(from)
    .flatMap(({ requests }) => Object.values(requests))
    .reduce((sum, one) => sum + one, 0);

export const many = (service: ServiceProcess, path: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => request(`${service.url}${path}`)));

/** Closes them after each test. */
export function closeWatches(): void {
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
}
