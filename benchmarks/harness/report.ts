import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { barPlot, type Bar } from './bar-plot';
import { resultsFolder } from './folders';
import { describeMachine } from './machine';
import type { BenchOptions } from './options';
import { tell } from './progress';

/** One table of an answer, with the plot of one of its columns. */
export interface Section {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly plot?: { readonly unit: string; readonly bars: readonly Bar[] };
}

/** The answer to one question. */
export interface Answer {
  /** The name of the question, and of the files. */
  readonly question: string;
  /** The question in a sentence. */
  readonly asks: string;
  readonly sections: readonly Section[];
  readonly notes: readonly string[];
  /** The commands that made the load, beside the one that was typed. */
  readonly commands: readonly string[];
  /** All figures, for JSON. */
  readonly data: unknown;
}

/** The tables and notes, to the terminal. */
export function tellAnswer({ sections, notes }: Answer): void {
  for (const section of sections) tell(`\n${section.title}\n${table(section)}`);
  for (const note of notes) tell(`note: ${note}`);
}

/** Writes `<question>.json`, `.md` and an `.svg` for each plot, and prints the tables. */
export function writeAnswer(answer: Answer, options: BenchOptions): void {
  mkdirSync(resultsFolder, { recursive: true });
  const { question, data, notes } = answer;
  const commands = [options.commandLine, ...answer.commands];
  const machine = describeMachine();
  const at = new Date().toISOString();
  const write = (ending: string, text: string): void =>
    writeFileSync(join(resultsFolder, `${question}${ending}`), text);
  write('.json', `${JSON.stringify({ question, at, machine, commands, notes, data }, null, 2)}\n`);
  const images = answer.sections.map(({ title, plot }, index) => {
    if (plot === undefined) return '';
    write(`-${index + 1}.svg`, barPlot(title, plot.unit, plot.bars));
    return `\n![${title}](${question}-${index + 1}.svg)\n`;
  });
  const tables = answer.sections.map((section, index) => `## ${section.title}\n\n${table(section)}\n${images[index]}`);
  const facts = [...Object.entries(machine), ['date', at]].map(([name, value]) => `- ${name}: ${value}`);
  const asked = `${options.rounds} rounds of ${options.seconds} s`;
  const parts = [
    `# ${question}\n\n${answer.asks}\n`,
    ...tables,
    ...(notes.length > 0 ? [`## Notes\n\n${notes.map((note) => `- ${note}`).join('\n')}\n`] : []),
    `## How\n\n${[...facts, `- ${asked}`].join('\n')}\n\n\`\`\`sh\n${commands.join('\n')}\n\`\`\`\n`,
  ];
  write('.md', parts.join('\n'));
  tellAnswer(answer);
  tell(`written: ${join(resultsFolder, question)}.{json,md,svg}`);
}

function table({ columns, rows }: Section): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length), 3));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(columns), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}
