import type { Finding } from './finding';

const MARKS = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' } as const;
const COLOURS = { ok: 32, warning: 33, problem: 31 } as const;

/** Renders findings for a person: each with its remedy below. */
export function reportOf(findings: readonly Finding[], hasColours: boolean): string {
  const lines = findings.flatMap(({ level, subject, text, remedy }) => {
    const mark = hasColours ? `\u001b[${COLOURS[level]}m${MARKS[level]}\u001b[0m` : MARKS[level];
    return [`${mark}  ${subject}: ${text}`, ...(remedy === undefined ? [] : [`         → ${remedy}`])];
  });
  const count = (level: Finding['level']): number => findings.filter((one) => one.level === level).length;
  return `${[...lines, '', `${count('problem')} problems, ${count('warning')} warnings.`].join('\n')}\n`;
}
