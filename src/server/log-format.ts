/** The format of log lines. */
export interface LogFormat {
  readonly isPretty: boolean;
  readonly hasColours: boolean;
}

export const JSON_LINES: LogFormat = { isPretty: false, hasColours: false };

interface Terminal {
  readonly isTTY?: boolean;
  hasColors?(): boolean;
}

/** `auto` is JSON in production and where the output is no terminal. Colours are for terminals alone (https://no-color.org). */
export function logFormatOf(
  setting: 'auto' | 'json' | 'pretty',
  isProduction: boolean,
  output: Terminal = process.stdout,
): LogFormat {
  const isTerminal = output.isTTY === true;
  const isPretty = setting === 'pretty' || (setting === 'auto' && isTerminal && !isProduction);
  return { isPretty, hasColours: isPretty && isTerminal && output.hasColors?.() === true };
}

const COLOURS: Readonly<Record<string, number>> = { fatal: 35, error: 31, warn: 33, info: 32, debug: 36, trace: 90 };
const GREY = 90;
/** Every control character except line ends, and what turns the direction of text: foreign text must not control the terminal that shows it. */
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * One line of JSON in readable form: time, level, context, message, then the other fields. A message of several lines is indented, so that
 * no part of it looks like a separate line.
 */
export function prettyLine(json: string, hasColours: boolean): string {
  const { level = '', time = '', context, msg, ...fields } = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const colour = (code: number | undefined, text: string): string =>
    hasColours && code !== undefined ? `\u001b[${code}m${text}\u001b[0m` : text;
  const name = String(level);
  const parts = [
    colour(GREY, String(time).slice(11, 23)),
    colour(COLOURS[name], name.toUpperCase().padEnd(5)),
    ...(context === undefined ? [] : [colour(GREY, `[${shown(context)}]`)]),
    ...(msg === undefined ? [] : [harmless(typeof msg === 'string' ? msg : JSON.stringify(msg))]),
    ...Object.entries(fields).flatMap(([key, value]) => fieldOf(key, value).map((text) => colour(GREY, text))),
  ];
  return `${parts.join(' ').replace(/\n+$/, '').replaceAll('\n', '\n    ')}\n`;
}

/** The members of an object are on separate lines. */
function fieldOf(name: string, value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object' || Array.isArray(value)) return [`${name}=${shown(value)}`];
  return Object.entries(value).map(([member, one]) => `\n${member}=${shown(one)}`);
}

function shown(value: unknown): string {
  if (typeof value !== 'string') return harmless(JSON.stringify(value));
  return /[\s"=]/.test(value) ? harmless(JSON.stringify(value)) : harmless(value);
}

/** With control characters as JSON writes them. A line of JSON stays the same value: they are in its strings only. */
export function harmless(text: string): string {
  return text.replace(CONTROLS, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
