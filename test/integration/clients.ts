import { request } from '../support/raw-http';
import type { ServiceProcess } from '../support/service-process';

/** What one request got; `status` 0 for none at all. */
export interface Seen {
  readonly status: number;
  readonly code: string | undefined;
  readonly cacheStatus: string;
  readonly retryAfter: string | undefined;
  readonly json: Readonly<Record<string, unknown>>;
  readonly ms: number;
}

/** A request that hangs takes longer, and no other: the deadline is 2 s, a busy machine is slow. */
export const HUNG_AFTER_MS = 30_000;

export async function ask(service: ServiceProcess, name: string): Promise<Seen> {
  const startedAt = performance.now();
  try {
    const { status, headers, body } = await request(`${service.url}/repos/${name}`, { timeoutMs: HUNG_AFTER_MS });
    const json = JSON.parse(body.toString()) as Record<string, unknown>;
    const code = typeof json['code'] === 'string' ? json['code'] : undefined;
    const retryAfter = headers['retry-after'];
    return {
      status,
      code,
      cacheStatus: String(headers['cache-status']),
      retryAfter,
      json,
      ms: performance.now() - startedAt,
    };
  } catch {
    return {
      status: 0,
      code: undefined,
      cacheStatus: '',
      retryAfter: undefined,
      json: {},
      ms: performance.now() - startedAt,
    };
  }
}

/** Clients that ask one after the other until `done` settles; resolves to all that they saw. */
export async function keepAsking(
  service: ServiceProcess,
  names: readonly string[],
  done: Promise<unknown>,
): Promise<Seen[]> {
  let isDone = false;
  void done.finally(() => (isDone = true));
  const seen: Seen[] = [];
  await Promise.all(
    names.map(async (name) => {
      while (!isDone && seen.length < 20_000) seen.push(await ask(service, name));
    }),
  );
  await done;
  return seen;
}

export function statuses(seen: readonly Seen[]): number[] {
  return [...new Set(seen.map(({ status }) => status))].sort();
}

export async function health(service: ServiceProcess): Promise<string> {
  const { body } = await request(`${service.url}/health`);
  const { details } = JSON.parse(body.toString()) as { details: { store: { state: string } } };
  return details.store.state;
}
