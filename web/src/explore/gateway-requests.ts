import { computed, ref, shallowRef } from 'vue';
import { Failure, failureOf, isAbort, toFailure } from '../api/failure';
import { freshUntil } from '../api/freshness';
import { exchange, UNCHANGED, type Exchange } from '../api/http';
import { verdictOf, type Verdict } from '../api/outcome';
import { pageInfo } from '../api/page-info';
import { pathIn } from './path-in';

/*
 * The requests of "Explore GitHub": any path of the gateway.
 */

export interface Explored {
  readonly path: string;
  readonly exchange: Exchange;
  readonly verdict: Verdict;
  readonly fresh: { readonly until: number; readonly totalSeconds: number } | undefined;
  /** The parsed body; undefined if it is not JSON. */
  readonly json: { readonly value: unknown } | undefined;
  readonly failure: Failure | undefined;
}

/** What a path's parameters are filled in with, so that every suggestion can be sent as it is. */
const EXAMPLES: Readonly<Record<string, string>> = {
  username: 'redis',
  org: 'redis',
  owner: 'redis',
  repo: 'redis',
  account: 'redis',
  branch: 'main',
  ref: 'main',
};

export const path = ref('/users/redis');
export const mustAsk = ref(false);
export const explored = shallowRef<Explored>();
export const failure = shallowRef<Failure>();
export const waiting = shallowRef<{ readonly what: string; readonly since: number }>();
/** What was typed but not sent, in a sentence; empty if everything was. */
export const dropped = ref('');
const asked = ref<string[]>([]);
let current: AbortController | undefined;

export const suggestions = computed(() => {
  const documented = pageInfo.value.paths.map(({ path: template, summary }) => ({
    value: template.replaceAll(/\{([^}]+)\}/g, (_, name: string) => EXAMPLES[name] ?? '1'),
    note: summary,
  }));
  const before = asked.value
    .filter((value) => !documented.some((suggestion) => suggestion.value === value))
    .map((value) => ({ value, note: 'asked before' }));
  return [...before, ...documented];
});

export function cancel(): void {
  current?.abort();
}

export async function explore(): Promise<void> {
  current?.abort();
  dropped.value = '';
  const target = pathIn(path.value, pageInfo.value.gatewayPrefix);
  if (target instanceof Failure) {
    failure.value = target;
    waiting.value = undefined;
    return;
  }
  const { path: wanted } = target;
  dropped.value = target.dropped;
  path.value = wanted;
  const controller = new AbortController();
  current = controller;
  failure.value = undefined;
  waiting.value = { what: `Getting ${wanted}…`, since: Date.now() };
  try {
    const headers = { Accept: 'application/json', 'Cache-Control': mustAsk.value ? 'no-cache' : UNCHANGED };
    const received = await exchange(`${pageInfo.value.gatewayPrefix}${wanted}`, { headers, signal: controller.signal });
    explored.value = {
      ...{ path: wanted, exchange: received, verdict: verdictOf(received), fresh: freshUntil(received) },
      json: parse(received.text),
      failure: received.status >= 400 ? failureOf(received) : undefined,
    };
    asked.value = [wanted, ...asked.value.filter((known) => known !== wanted)].slice(0, 10);
  } catch (error) {
    if (current === controller)
      failure.value = isAbort(error) ? new Failure('Cancelled', 'You stopped waiting for it.') : toFailure(error);
  } finally {
    if (current === controller) waiting.value = undefined;
  }
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined; // shown as text
  }
}
