import type { LoggerService } from '@nestjs/common';
import cluster from 'node:cluster';
import { pino, type Logger } from 'pino';
import { harmless, JSON_LINES, prettyLine, type LogFormat } from '../server/log-format';
import { LogOutput } from './log-output';

/** Nest's messages about its own start, one line for each module and route. */
const CHATTER: ReadonlySet<string> = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** Levels that may have to wake an operator. */
const AT_ONCE: ReadonlySet<string> = new Set(['warn', 'error', 'fatal']);
let output: LogOutput | undefined;

/** Standard output, one for all loggers of the process. */
function standardOutput(): LogOutput {
  output ??= new LogOutput(1);
  return output;
}

/** pino's destination: its lines are JSON, in every format. */
function outputOf({ isPretty, hasColours }: LogFormat): { write(line: string): void } {
  const output = standardOutput();
  return { write: (line) => output.write(isPretty ? prettyLine(line, hasColours) : harmless(line)) };
}

/** Nest's logger over pino: one line each, level and time by name; it never gets secrets. */
export class PinoLogger implements LoggerService {
  private readonly pino: Logger;

  constructor(level = 'info', format = JSON_LINES) {
    const options = {
      level,
      base: cluster.isWorker ? { worker: cluster.worker?.id } : null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    this.pino = pino(options, outputOf(format));
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write(CHATTER.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest passes the context last; the arguments before it are a stack or further values. */
  private write(
    level: 'info' | 'error' | 'warn' | 'debug' | 'trace' | 'fatal',
    message: unknown,
    rest: readonly unknown[],
  ): void {
    if (!this.pino.isLevelEnabled(level)) return;
    const context = rest.at(-1);
    const more = rest.slice(0, -1).filter((part) => part !== undefined);
    const fields = {
      ...(typeof context === 'string' ? { context } : {}),
      ...(more.length > 0 ? { more: more.map(String) } : {}),
    };
    if (typeof message === 'object' && message !== null && !(message instanceof Error))
      this.pino[level]({ ...fields, ...message });
    else this.pino[level](fields, message instanceof Error ? (message.stack ?? message.message) : String(message));
    if (AT_ONCE.has(level)) standardOutput().flush();
  }
}

/** Used until the configuration is read: main.ts logs the reason of a failed start, once. */
export class BootLogger extends PinoLogger {
  override error(): void {
    // main.ts logs it
  }
}
