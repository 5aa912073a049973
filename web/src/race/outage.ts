import { computed, ref, shallowRef } from 'vue';
import { toFailure, type Failure } from '../api/failure';
import { exchange, field, requestJson } from '../api/http';
import { verdictOf, type Look } from '../api/outcome';
import { pageInfo } from '../api/page-info';

/*
 * The API goes away, the answers do not: a request twice a second that wants nothing older than a second, so that the cache has to
 * ask the API again and again, and has to do without it when it is off.
 */

export interface Beat {
  readonly id: number;
  readonly look: Look;
  readonly label: string;
  readonly ageSeconds: number;
  readonly isApiDown: boolean;
}

const EVERY_MS = 500;
const KEPT = 80;

export const isApiDown = ref(false);
export const isAsking = ref(false);
export const beats = shallowRef<readonly Beat[]>([]);
export const total = ref(0);
export const errors = ref(0);
export const withoutApi = ref(0);
export const failure = shallowRef<Failure>();
export const isSwitching = ref(false);
export const latest = computed(() => beats.value.at(-1));
let timer: ReturnType<typeof setTimeout> | undefined;
let lastId = 0;
let current = new AbortController();
/** Whether this page switched the API off; only then does it switch it on again when it is left. */
let isDownByThisPage = false;

interface UpstreamState {
  readonly isDown: boolean;
}

/** Reads whether the API is on: another page, or this one before it was loaded again, may have switched it off. */
export async function readState(): Promise<void> {
  const control = pageInfo.value.demo?.control;
  if (control === undefined || isSwitching.value) return;
  try {
    const { isDown } = await requestJson<UpstreamState>(control);
    isApiDown.value = isDown;
  } catch (error) {
    failure.value = toFailure(error);
  }
}

export async function setApiDown(isDown: boolean): Promise<void> {
  const control = pageInfo.value.demo?.control;
  if (control === undefined) return;
  isSwitching.value = true;
  failure.value = undefined;
  try {
    const ask = { method: 'PUT', json: { isDown }, keepalive: true };
    isDownByThisPage = isDown;
    isApiDown.value = (await requestJson<UpstreamState>(control, ask)).isDown;
    if (isDown && !isAsking.value) start();
  } catch (error) {
    failure.value = toFailure(error);
  } finally {
    isSwitching.value = false;
  }
}

export function start(): void {
  isAsking.value = true;
  ask();
}

export function stop(): void {
  isAsking.value = false;
  clearTimeout(timer);
  current.abort();
  current = new AbortController();
}

/** Stops the requests, and switches the API on again if this page switched it off. */
export function leave(): void {
  stop();
  if (isDownByThisPage) void setApiDown(false);
}

function ask(): void {
  const { signal } = current;
  const isDown = isApiDown.value;
  const headers = { 'Cache-Control': 'max-age=1, stale-if-error=86400' };
  exchange(`${pageInfo.value.gatewayPrefix}/users/redis`, { headers, signal })
    .then(
      (answer) => {
        const { look, label } = verdictOf(answer);
        add(answer.status >= 400 ? 'error' : look, label, Number(field(answer.headers, 'age') ?? 0), isDown);
      },
      (error: unknown) => {
        if (!signal.aborted) add('error', toFailure(error).title, 0, isDown);
      },
    )
    .finally(() => {
      if (!signal.aborted) timer = setTimeout(ask, EVERY_MS);
    });
}

function add(look: Look, label: string, ageSeconds: number, isDown: boolean): void {
  lastId += 1;
  total.value += 1;
  if (look === 'error') errors.value += 1;
  else if (isDown) withoutApi.value += 1;
  beats.value = [...beats.value, { id: lastId, look, label, ageSeconds, isApiDown: isDown }].slice(-KEPT);
}
