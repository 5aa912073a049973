import { hitsOf, requestsOf, type Figures } from '../api/figures';

/** One line of a chart. `dash` tells lines apart without their colour. */
export interface Series {
  readonly label: string;
  /** The name of a custom property, such as `--hit`. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly fill?: boolean;
  readonly valueOf: (figures: Figures) => number | null;
}

export const REQUEST_SERIES: readonly Series[] = [
  { label: 'Requests', colour: '--hit', fill: true, valueOf: requestsOf },
  { label: 'Calls to the API', colour: '--miss', dash: [5, 3], valueOf: ({ upstream }) => upstream.calls },
];

export const HIT_SERIES: readonly Series[] = [
  {
    label: 'Hit ratio',
    colour: '--hit',
    fill: true,
    valueOf: (figures) => {
      const requests = requestsOf(figures);
      return requests === 0 ? null : (hitsOf(figures) / requests) * 100;
    },
  },
];

const latencyOf = (outcome: string, quantile: 'p50' | 'p99') => (figures: Figures) =>
  figures.latencyMs[outcome]?.[quantile] ?? null;

export const LATENCY_SERIES: readonly Series[] = [
  { label: 'Miss p99', colour: '--miss', dash: [4, 3], valueOf: latencyOf('MISS', 'p99') },
  { label: 'Miss p50', colour: '--miss', valueOf: latencyOf('MISS', 'p50') },
  { label: 'Hit p99', colour: '--hit', dash: [4, 3], valueOf: latencyOf('HIT', 'p99') },
  { label: 'Hit p50', colour: '--hit', valueOf: latencyOf('HIT', 'p50') },
];

export const MEMORY_SERIES: readonly Series[] = [
  { label: 'Memory (L1)', colour: '--hit', fill: true, valueOf: ({ l1 }) => l1.bytes },
  { label: 'Redis', colour: '--stale', dash: [5, 3], valueOf: ({ store }) => store.usedBytes },
];

/** Columns for the chart: a time, then a value a line. A second without a sample is a gap, not a straight line over it. */
export function columnsOf(samples: readonly Figures[], series: readonly Series[]): (number | null)[][] {
  const times: number[] = [];
  const values: (number | null)[][] = series.map(() => []);
  let before: number | undefined;
  for (const sample of samples) {
    if (before !== undefined && sample.at - before > 2500) {
      times.push(before / 1000 + 1);
      for (const column of values) column.push(null);
    }
    times.push(sample.at / 1000);
    series.forEach(({ valueOf }, at) => values[at]?.push(valueOf(sample)));
    before = sample.at;
  }
  return [times, ...values];
}
