import { parseCacheStatus } from '../api/cache-status';
import { exchange, field, requestJson, UNCHANGED } from '../api/http';
import { lookOf, type Look } from '../api/outcome';
import { pageInfo } from '../api/page-info';

/** One of the many requests that were sent at once. Times in milliseconds since the first was sent. */
export interface Runner {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly role: Role;
}

/** The one that asked the API, the ones that waited for it, the ones that came after, and the ones that failed. */
export type Role = 'called' | 'waited' | 'hit' | 'failed';

export const ROLE_LOOKS: Readonly<Record<Role, Look>> = {
  called: 'miss',
  waited: 'stale',
  hit: 'hit',
  failed: 'error',
};

export interface RaceResult {
  readonly path: string;
  readonly runners: readonly Runner[];
  /** Who sent them: the demo, on a connection each, or the browser, on six. */
  readonly sender: 'demo' | 'browser';
}

export const RUNNERS = 200;

interface SentByDemo {
  readonly requests: readonly {
    readonly startedMs: number;
    readonly endedMs: number;
    readonly status: number;
    readonly cacheStatus?: string;
  }[];
}

/** A key that no one has asked for: the gateway takes each query as a resource of its own. */
export async function race(signal: AbortSignal, onProgress: (done: number) => void): Promise<RaceResult> {
  const { gatewayPrefix, demo } = pageInfo.value;
  const path = `${gatewayPrefix}/users/redis?race=${Math.random().toString(36).slice(2, 10)}`;
  if (demo?.race === undefined) return { path, runners: await raceHere(path, signal, onProgress), sender: 'browser' };
  const json = { path, requests: RUNNERS };
  const sent = await requestJson<SentByDemo>(demo.race, { method: 'POST', json, signal });
  const runners = sent.requests.map(({ startedMs, endedMs, status, cacheStatus }) => ({
    ...{ startedMs, endedMs, role: roleOf(status, cacheStatus) },
  }));
  return { path, runners: inOrder(runners), sender: 'demo' };
}

async function raceHere(path: string, signal: AbortSignal, onProgress: (done: number) => void): Promise<Runner[]> {
  const beganAt = performance.now();
  let done = 0;
  const run = async (): Promise<Runner> => {
    const startedMs = performance.now() - beganAt;
    const answer = await exchange(path, { signal, headers: { 'Cache-Control': UNCHANGED } });
    done += 1;
    onProgress(done);
    const role = roleOf(answer.status, field(answer.headers, 'cache-status'));
    return { startedMs, endedMs: performance.now() - beganAt, role };
  };
  return inOrder(await Promise.all(Array.from({ length: RUNNERS }, run)));
}

/** Without a status or a `Cache-Status`, nobody knows that the API was asked: that is a failure, not a call. */
export function roleOf(status: number, cacheStatus: string | undefined): Role {
  const outcome = parseCacheStatus(cacheStatus)?.outcome;
  if (status === 0 || status >= 400 || outcome === undefined) return 'failed';
  if (outcome === 'COALESCED') return 'waited';
  return lookOf(outcome) === 'miss' ? 'called' : 'hit';
}

/** The call first, then the others in the order in which they ended. */
function inOrder(runners: readonly Runner[]): Runner[] {
  const rank: Readonly<Record<Role, number>> = { called: 0, waited: 1, hit: 1, failed: 1 };
  return runners.toSorted(
    (one, other) => rank[one.role] - rank[other.role] || one.endedMs - other.endedMs || one.startedMs - other.startedMs,
  );
}
