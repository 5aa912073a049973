import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';

/*
 * The head of a response as text (RFC 9112 §2.1), as node writes it.
 */

/** Header fields, name and value in turn. */
export type FlatFields = readonly string[];

/** The head of a hit as text, in two pieces: the fields that differ between requests go between them. */
export interface SerializedHead {
  /** From the status line to `x-request-id: `. */
  readonly beforeRequestId: string;
  /** From `Date` to the empty line. */
  readonly afterTimings: string;
}

export function statusLine(status: number): string {
  return STATUS_LINES.get(status) ?? lineOf(status);
}

function lineOf(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
}

/** Once for all prepared responses. */
const STATUS_LINES = new Map(Object.keys(STATUS_CODES).map((status) => [Number(status), lineOf(Number(status))]));

export function linesOf(fields: FlatFields): string {
  let lines = '';
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at] ?? ''}: ${fields[at + 1] ?? ''}\r\n`;
  return lines;
}

/** The end of node's head on a persistent connection, with and without an earlier `Date`. */
export function tailOf(wallMs: number, keepAliveMs: number, hasDate = false): string {
  const date = hasDate ? '' : `\r\nDate: ${new Date(wallMs).toUTCString()}`;
  const keepAlive = keepAliveMs > 0 ? `\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}` : '';
  return `${date}\r\nConnection: keep-alive${keepAlive}\r\n\r\n`;
}

/** Whether node would write the fields: names are tokens, values have no control characters (RFC 9110 §5). */
export function areWritable(fields: FlatFields): boolean {
  try {
    for (let at = 0; at < fields.length; at += 2) {
      validateHeaderName(fields[at] ?? '');
      validateHeaderValue(fields[at] ?? '', fields[at + 1] ?? '');
    }
    return true;
  } catch {
    return false; // node refuses them with the same error when it writes the head itself
  }
}
