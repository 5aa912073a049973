import { figure } from './bar-plot';
import { inOrder } from './profile-groups';
import type { Profiled } from './profiled-run';
import type { Section } from './report';

/** Libraries that took less of the time in each profile share one row. */
const LEAST = 0.005;

/** The table of all profiled sides: shares of their time, and microseconds for each request. */
export function profileSection(title: string, sides: readonly Profiled[]): Section {
  const { shown, rest } = inOrder(
    sides.map(({ shares }) => shares),
    LEAST,
  );
  const row = (label: string, groups: readonly string[]): string[] => [
    label,
    ...sides.flatMap(({ shares, requestsPerSecond, processes }) => {
      const share = groups.reduce((sum, group) => sum + (shares.get(group) ?? 0), 0);
      return [`${figure(share * 100)} %`, figure((share * processes * 1e6) / requestsPerSecond)];
    }),
  ];
  return {
    title,
    columns: ['self time', ...sides.flatMap(({ name }) => [name, 'µs per request'])],
    rows: [
      ...shown.map((group) => row(group, [group])),
      ...(rest.length > 0 ? [row(`${rest.length} more, each below ${LEAST * 100} %`, rest)] : []),
    ],
  };
}

/** How to read that table. */
export function profileNotes(sides: readonly Profiled[]): string[] {
  if (sides.length === 0) return [];
  const rates = sides.map(({ name, requestsPerSecond }) => `${name} ${figure(requestsPerSecond)}/s`).join(', ');
  return [
    `The profiles are of one run more of each side of Larder, each of its processes with all its threads bound to one core; it is not among the rates above: ${rates}.`,
    'They tell the time that passes, not that of a core: whoever is taken off its core in the middle of a function, or of a write, has the wait counted there. ' +
      'In "idle, or reading in the event loop" is what comes before the first line of JavaScript: the wait for requests, reading them from the socket, and parsing their first bytes.',
  ];
}
