import { computed, ref, shallowRef } from 'vue';
import { adminToken } from '../api/admin';
import { EventStream } from '../api/event-stream';
import { hitsOf, requestsOf, type Figures } from '../api/figures';
import type { ServerSentEvent } from '../api/server-sent-events';
import { roughly } from '../format';

/*
 * The last fifteen minutes of the service, a point a second. They outlive the view: coming back resumes where it left.
 */

export interface OutcomeEvent {
  readonly at: number;
  readonly replica: string;
  readonly outcome: string;
  readonly tier: string;
  readonly upstream: string;
  readonly key: string;
  readonly status: number;
  readonly durationMs: number;
  readonly requestId: string;
  readonly oneIn: number;
}

export interface InvalidationEvent {
  readonly at: number;
  readonly replica: string;
  readonly by: string;
  readonly what: readonly { readonly kind: string; readonly name: string }[];
  readonly mode: string;
  readonly count: number;
}

export type Happening =
  | { readonly id: number; readonly kind: 'outcome'; readonly event: OutcomeEvent }
  | { readonly id: number; readonly kind: 'invalidation'; readonly event: InvalidationEvent };

const MAX_SAMPLES = 900;
const MAX_HAPPENINGS = 100;

export const samples = shallowRef<readonly Figures[]>([]);
export const happenings = shallowRef<readonly Happening[]>([]);
export const areHappeningsHeld = ref(false);
export const latest = computed(() => samples.value.at(-1));
let lastId = 0;

export const stream = new EventStream({ path: '/events', token: adminToken, onEvent: receive });

/** Sums over all samples. */
export const totals = computed(() => {
  let [requests, hits, calls, saved] = [0, 0, 0, 0];
  for (const sample of samples.value) {
    requests += requestsOf(sample);
    hits += hitsOf(sample);
    calls += sample.upstream.calls;
    saved += sample.upstream.saved;
  }
  return { requests, hits, calls, saved };
});

/** Over which time the sums are. Figures exist only for the seconds in which somebody watched. */
export const countedIn = computed(() => {
  const [first] = samples.value;
  if (!first || !latest.value) return '';
  const watchedMs = samples.value.length * 1000;
  const spanMs = latest.value.at - first.at + 1000;
  if (watchedMs < spanMs * 0.95) return `in the ${roughly(watchedMs)} that somebody watched`;
  if (watchedMs >= MAX_SAMPLES * 950) return 'in 15 minutes';
  return `since somebody began to watch (${roughly(spanMs)})`;
});

/** Over all samples, by outcome: the number of requests and the latest latencies. */
export const byOutcome = computed(() => {
  const rows = new Map<string, { count: number; p50: number | undefined; p99: number | undefined }>();
  for (const { requests, latencyMs } of samples.value) {
    for (const [outcome, number] of Object.entries(requests)) {
      if (number === 0) continue;
      const row = rows.get(outcome) ?? { count: 0, p50: undefined, p99: undefined };
      const latency = latencyMs[outcome];
      rows.set(outcome, {
        count: row.count + number,
        p50: latency?.p50 ?? row.p50,
        p99: latency?.p99 ?? row.p99,
      });
    }
  }
  return [...rows].map(([outcome, row]) => ({ outcome, ...row })).sort((one, other) => other.count - one.count);
});

function receive({ type, data }: ServerSentEvent): void {
  if (type === 'history') add((JSON.parse(data) as { samples: Figures[] }).samples);
  else if (type === 'figures') add([JSON.parse(data) as Figures]);
  else if (type === 'outcome') happened({ id: ++lastId, kind: 'outcome', event: JSON.parse(data) as OutcomeEvent });
  else if (type === 'invalidation')
    happened({ id: ++lastId, kind: 'invalidation', event: JSON.parse(data) as InvalidationEvent });
}

/** Merges by second: a sample that arrives twice, after a reconnect, counts once. */
function add(more: readonly Figures[]): void {
  if (more.length === 0) return;
  const newest = samples.value.at(-1)?.at ?? 0;
  const isInOrder = more.length === 1 && (more[0]?.at ?? 0) > newest;
  const all = isInOrder ? [...samples.value, ...more] : merged(samples.value, more);
  const oldest = (all.at(-1)?.at ?? 0) - MAX_SAMPLES * 1000;
  samples.value = all.filter(({ at }) => at > oldest);
}

function merged(known: readonly Figures[], more: readonly Figures[]): Figures[] {
  const bySecond = new Map([...known, ...more].map((sample) => [sample.at, sample]));
  return [...bySecond.values()].sort((one, other) => one.at - other.at);
}

function happened(happening: Happening): void {
  if (areHappeningsHeld.value) return;
  happenings.value = [happening, ...happenings.value].slice(0, MAX_HAPPENINGS);
}
