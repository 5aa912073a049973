import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../kernel/app-error';
import { EDGE_FIELDS, newRequestId } from './edge-hooks';
import { PROBLEM_TYPE, PROBLEMS, problemOf } from './problem-table';

interface Said {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** By node's codes (https://nodejs.org/api/http.html#event-clienterror). */
const SAID: Readonly<Record<string, Said>> = {
  HPE_HEADER_OVERFLOW: {
    code: 'header-too-large',
    detail: 'The header fields are over 16 KiB in all. Send fewer or shorter ones.',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    code: 'payload-too-large',
    detail: 'The chunk extensions of the body are too long.',
  },
  HPE_INVALID_METHOD: {
    code: 'request-invalid',
    detail: 'The method is none that is known. It is written in capitals.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'request-timeout', detail: 'The request did not come to its end in time.' },
};
const NOT_HTTP: Said = { code: 'request-invalid', detail: 'The request is not HTTP/1.1 or HTTP/1.0.' };

/** Answers what is no request, which no hook or filter ever sees, as a problem too, and ends the connection. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // Under way on the connection is an answer to a request before: to write into it would make it another.
  const { _httpMessage: answer } = socket as { readonly _httpMessage?: { readonly _headerSent?: boolean } };
  if (!socket.writable || answer?._headerSent === true) {
    socket.destroy();
    return;
  }
  const { code, detail } = SAID[error.code ?? ''] ?? NOT_HTTP;
  socket.end(problemText(code, detail), () => socket.destroy());
}

function problemText(code: ErrorCode, detail: string): string {
  const { status } = PROBLEMS[code];
  const id = newRequestId();
  const body = JSON.stringify({ ...problemOf(code, detail), instance: id });
  const fields = {
    ...EDGE_FIELDS,
    'x-request-id': id,
    'cache-control': 'no-store',
    'content-type': PROBLEM_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${PROBLEMS[code].title}`, ...lines, '', body].join('\r\n');
}
