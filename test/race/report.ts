import type { RaceReport } from './race';

/** The report as text: the numbers, then each violation with its timeline. */
export function printed(report: RaceReport): string {
  const { seed, steps, durationMs, loads, invalidations, refusedInvalidations, faults } = report;
  const { answersChecked, answersBound, answersExempt, answersFailed, violations } = report;
  const lines = [
    `seed ${seed}, ${steps} steps, ${(durationMs / 1000).toFixed(1)} s`,
    `answers    ${answersChecked} checked (${answersBound} after an invalidation), ${answersExempt} during faults, ${answersFailed} errors`,
    `work       ${loads} loads, ${invalidations} invalidations, ${refusedInvalidations} refused, ${faults} faults`,
    `violations ${violations.length}`,
  ];
  for (const { key, replica, what, timeline } of violations) {
    lines.push('', `${key} on replica ${replica}: ${what}`, ...timeline);
  }
  return lines.join('\n');
}
