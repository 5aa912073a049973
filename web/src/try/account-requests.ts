import { computed, ref, shallowRef } from 'vue';
import { adminRequest } from '../api/admin';
import { Failure, failureOf, isAbort, toFailure } from '../api/failure';
import { freshUntil } from '../api/freshness';
import { exchange, type Exchange } from '../api/http';
import { verdictOf, type Look, type Verdict } from '../api/outcome';
import { pageInfo } from '../api/page-info';
import { notify } from '../shell/notices';

/*
 * The requests of "Try it". They outlive the view, so that a look at another one loses nothing.
 */

export interface Asked {
  readonly id: number;
  readonly account: string;
  readonly at: number;
  /** Undefined: not an answer but an invalidation. */
  readonly look: Look | undefined;
  readonly label: string;
  /** Time in the service; the total where X-Response-Time is missing. Zero for an invalidation. */
  readonly latencyMs: number;
  readonly repositories: number | undefined;
}

export interface Answer {
  readonly account: string;
  readonly exchange: Exchange;
  readonly verdict: Verdict;
  readonly repositories: number | undefined;
  readonly failure: Failure | undefined;
  readonly fresh: { readonly until: number; readonly totalSeconds: number } | undefined;
  readonly isBypass: boolean;
  /** Removed from the cache since: it is not fresh for anyone any more. */
  readonly isInvalidated: boolean;
}

const MAX_HISTORY = 40;
const SUGGESTED = ['redis', 'microsoft', 'google', 'facebook'];

export const account = ref('redis');
export const history = shallowRef<readonly Asked[]>([]);
export const answer = shallowRef<Answer>();
/** What went wrong before there was an answer. */
export const failure = shallowRef<Failure>();
export const waiting = shallowRef<{ readonly what: string; readonly since: number }>();
let current: AbortController | undefined;
let lastId = 0;

export const suggestions = computed(() => {
  const asked = [...new Set(history.value.filter(({ look }) => look !== 'error').map((entry) => entry.account))];
  return [
    ...asked.map((value) => ({ value, note: 'asked before' })),
    ...SUGGESTED.filter((value) => !asked.includes(value)).map((value) => ({ value })),
  ];
});

export function cancel(): void {
  current?.abort();
}

/** The route that answers in one number. */
export function askForAccount(): Promise<void> {
  const name = account.value.trim();
  return ask(name, `/repos/${encodeURIComponent(name)}`, {}, 'repos', false);
}

/** The route above ignores a client's Cache-Control, so that no one can force a call. The gateway honours it. */
export function bypass(): Promise<void> {
  const name = account.value.trim();
  const path = `${pageInfo.value.gatewayPrefix}/users/${encodeURIComponent(name)}`;
  return ask(name, path, { 'Cache-Control': 'no-cache' }, 'public_repos', true);
}

export async function invalidate(): Promise<void> {
  const name = account.value.trim();
  const path = `/admin/cache/accounts/${encodeURIComponent(name)}`;
  failure.value = undefined;
  try {
    const done = await adminRequest<{ invalidated: number }>(path, `Invalidating ${name}`, { method: 'DELETE' });
    if (done === undefined) return;
    markInvalidated(name);
    notify(
      done.invalidated === 0
        ? `Nothing of ${name} was cached.`
        : `${name} is invalidated. The next request asks GitHub again.`,
    );
  } catch (error) {
    failure.value = toFailure(error);
  }
}

function markInvalidated(name: string): void {
  const shown = answer.value;
  if (shown?.account.toLowerCase() === name.toLowerCase()) answer.value = { ...shown, isInvalidated: true };
  const asked = {
    account: name,
    at: Date.now(),
    look: undefined,
    label: 'Invalidated',
    latencyMs: 0,
    repositories: undefined,
  };
  remember(asked);
}

function remember(asked: Omit<Asked, 'id'>): void {
  lastId += 1;
  history.value = [{ id: lastId, ...asked }, ...history.value].slice(0, MAX_HISTORY);
}

async function ask(
  name: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  member: string,
  isBypass: boolean,
): Promise<void> {
  if (name === '') {
    failure.value = new Failure('No account yet', 'Type the name of a GitHub account, such as redis.');
    return;
  }
  current?.abort();
  const controller = new AbortController();
  current = controller;
  failure.value = undefined;
  waiting.value = { what: `Asking for ${name}…`, since: Date.now() };
  try {
    show(name, await exchange(path, { headers, signal: controller.signal }), member, isBypass);
  } catch (error) {
    if (current === controller) failure.value = isAbort(error) ? cancelled() : toFailure(error);
  } finally {
    if (current === controller) waiting.value = undefined;
  }
}

function show(name: string, received: Exchange, member: string, isBypass: boolean): void {
  const verdict = verdictOf(received);
  const isGood = received.status >= 200 && received.status < 300;
  const repositories = isGood ? repositoriesIn(received.text, member) : undefined;
  answer.value = {
    ...{ account: name, exchange: received, verdict, repositories, isBypass, isInvalidated: false },
    failure: isGood ? undefined : failureOf(received),
    fresh: freshUntil(received),
  };
  const { look, label } = verdict;
  const latencyMs = received.serviceMs ?? received.totalMs;
  remember({ account: name, at: received.at, look, label, latencyMs, repositories });
}

function repositoriesIn(text: string, member: string): number | undefined {
  try {
    const value = (JSON.parse(text) as Record<string, unknown>)[member];
    return typeof value === 'number' ? value : undefined;
  } catch {
    return undefined; // not JSON: the details show what came
  }
}

function cancelled(): Failure {
  return new Failure(
    'Cancelled',
    'You stopped waiting. The service goes on and stores the answer for the next request.',
  );
}
