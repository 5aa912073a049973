import { parseArgs } from 'node:util';

/** What the command line says. */
export interface BenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** Only the sides whose name contains this, or one of these with semicolons between them; nothing is written then. */
  readonly only: string | undefined;
  /** Further header fields that the load generator sends, such as `Accept-Encoding: gzip`. */
  readonly headers: readonly string[];
  /** The questions asked, all of them if none is named. */
  readonly questions: readonly string[];
  /** The arguments as they were given. */
  readonly commandLine: string;
}

/** The cores: the load generator, the simulator and Redis on one, what is measured on the other. */
export const GENERATOR_CORE = 0;
export const SERVER_CORE = 1;

export function readOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '32' },
      only: { type: 'string' },
      header: { type: 'string', multiple: true, default: [] },
    },
  });
  return {
    rounds: count(values.rounds, '--rounds'),
    seconds: count(values.seconds, '--seconds'),
    connections: count(values.connections, '--connections'),
    only: values.only,
    headers: values.header,
    questions: positionals,
    commandLine: ['npm run bench --', ...args].join(' '),
  };
}

function count(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number from 1, not "${text}".`);
  return value;
}
