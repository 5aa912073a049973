import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../kernel/app-error';
import { EDGE_FIELDS, newRequestId } from './edge-hooks';
import { NO_TARGET } from './origin-form';
import { PROBLEM_TYPE, kindOfProblem, problemOf } from '../kernel/problem-table';

interface ClientProblem {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** By node's codes (https://nodejs.org/api/http.html#event-clienterror). */
const SAID: Readonly<Record<string, ClientProblem>> = {
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
  HPE_INVALID_URL: {
    code: 'request-invalid',
    detail: NO_TARGET,
  },
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'request-timeout', detail: 'The request did not come to its end in time.' },
};
const NOT_HTTP: ClientProblem = { code: 'request-invalid', detail: 'The request is not HTTP/1.1 or HTTP/1.0.' };

/** A response under way, as node keeps it on its connection. */
interface UnderWay {
  readonly _headerSent?: boolean;
  readonly req: { readonly complete: boolean };
  once(event: 'finish', listener: () => void): void;
}

/** Answers bytes that are not a request, which no hook or filter ever sees, with a problem, and ends the connection. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { _httpMessage: answer } = socket as { readonly _httpMessage?: UnderWay | null };
  // Complete requests before it are answered first: in their place this response would be mistaken for one of theirs.
  if (answer?.req.complete === true) {
    answer.once('finish', () => answerClientError(error, socket));
    return;
  }
  // The response to the request itself may be under way: writing into it would corrupt it.
  if (!socket.writable || answer?._headerSent === true) {
    socket.destroy();
    return;
  }
  const { code, detail } = SAID[error.code ?? ''] ?? NOT_HTTP;
  socket.end(problemText(code, detail), () => socket.destroy());
}

/** Ends a request whose body comes too slowly: 408, unless a response is under way. */
export function closeSlowBody(socket: Duplex): void {
  const { _httpMessage: answer } = socket as { readonly _httpMessage?: UnderWay | null };
  if (answer?.req.complete === true) return; // it is complete: the upstream takes long
  answerClientError(Object.assign(new Error('slow body'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
}

function problemText(code: ErrorCode, detail: string): string {
  const { status } = kindOfProblem(code);
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
  return [`HTTP/1.1 ${status} ${kindOfProblem(code).title}`, ...lines, '', body].join('\r\n');
}
