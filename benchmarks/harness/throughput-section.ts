import type { Section } from './report';
import { figure } from './bar-plot';
import type { Measured } from './rounds';
import { fromTo, percent, withSpread } from './tables';

/** The table and the plot of a contest. `yardsticks`: the name of a side, and the column's. */
export function throughputSection(
  title: string,
  measured: readonly Measured[],
  yardsticks: Readonly<Record<string, string>>,
): Section {
  const ratios = Object.entries(yardsticks);
  return {
    title,
    columns: [
      ...['side', 'requests/s', 'from–to'],
      ...ratios.map(([, column]) => column),
      ...['p50 ms', 'p99 ms', 'errors', 'CPU', 'wrk CPU'],
    ],
    rows: measured.map((one) => [
      ...[one.name, figure(one.requestsPerSecond.median), fromTo(one.requestsPerSecond)],
      ...ratios.map(([name]) => withSpread(one.ratios[name])),
      ...[figure(one.p50Ms.median), figure(one.p99Ms.median), String(one.errors)],
      ...[percent(one.serverCpu), percent(one.generatorCpu)],
    ]),
    plot: {
      unit: 'requests/s',
      bars: measured.map(({ name, requestsPerSecond: { median, min, max } }) => ({
        ...{ label: name, value: median, min, max },
        isOurs: name.startsWith('Larder'),
      })),
    },
  };
}

/** From this share of the time on, the load generator had no time to spare. */
const NO_TIME_TO_SPARE = 0.9;

/** Whether the load generator had time to spare against the fastest: where it had not, it is what was measured. */
export function generatorNote(title: string, measured: readonly Measured[]): string[] {
  const [fastest] = [...measured].sort((a, b) => b.requestsPerSecond.median - a.requestsPerSecond.median);
  if (fastest === undefined) return [];
  const { name, generatorCpu, generatorReady, serverCpu, requestsPerSecond } = fastest;
  const rate = requestsPerSecond.median;
  const verdict =
    generatorReady < NO_TIME_TO_SPARE && generatorCpu < serverCpu
      ? 'wrk is not the bottleneck'
      : 'wrk may be the bottleneck: take this figure as a lower bound';
  return [
    `${title}: against the fastest, ${name} at ${figure(rate)}/s, wrk took ${percent(generatorCpu)} of a core and was at work or ready for it ` +
      `${percent(generatorReady)} of the time; the server took ${percent(serverCpu)} of a core. So ${verdict} ` +
      `(it counts as one from ${percent(NO_TIME_TO_SPARE)} of the time on, or when it takes more than the server). ` +
      `With a whole core wrk could ask for ${figure(rate / generatorCpu)}/s.`,
  ];
}

/** A server that did not have its core for itself, or waited for something: its figure may be too low. */
export function idleNotes(title: string, measured: readonly Measured[]): string[] {
  return measured
    .filter(({ serverCpu }) => serverCpu < 0.85)
    .map(
      ({ name, serverCpu }) =>
        `${title}: ${name} used only ${percent(serverCpu)} of its core: it waited, or something else ran there.`,
    );
}
