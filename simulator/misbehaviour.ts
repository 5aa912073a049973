import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Fault } from './faults';

/** An answer that is ready to go. */
export interface Prepared {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const TICK_MS = 100;

/** Sends the answer as the fault has it. True: it is dealt with. */
export function misbehave(fault: Fault, prepared: Prepared, response: ServerResponse, now: number): boolean {
  switch (fault.kind) {
    case 'hang':
      return true;
    case 'latency':
      return false;
    case 'status':
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      response.end(fault.body ?? JSON.stringify({ message: 'Server Error' }));
      return true;
    case 'reset':
      if (fault.afterBytes === undefined) {
        response.socket?.resetAndDestroy();
        return true;
      }
      head(response, prepared);
      response.write(prepared.body.subarray(0, fault.afterBytes), () => response.socket?.resetAndDestroy());
      return true;
    case 'truncated':
      head(response, prepared);
      response.write(prepared.body.subarray(0, Math.floor(prepared.body.length / 2)), () => response.socket?.end());
      return true;
    case 'slow-body':
      head(response, prepared);
      dribble(response, prepared.body, Math.max(1, Math.floor((fault.bytesPerSecond * TICK_MS) / 1_000)));
      return true;
    case 'endless-body':
    case 'huge-body':
      response.writeHead(200, { 'content-type': 'application/json' });
      pour(response, fault.kind === 'huge-body' ? fault.bytes : Infinity);
      return true;
    case 'gzip-bomb':
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.alloc(fault.bytes)));
      return true;
    case 'huge-headers':
      response.writeHead(
        200,
        Object.fromEntries(Array.from({ length: fault.count }, (_, at) => [`x-fill-${at}`, 'x'.repeat(fault.bytes)])),
      );
      response.end(prepared.body);
      return true;
    case 'early-hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      return false;
    case 'rate-limited': {
      const reset =
        fault.resetInSeconds === undefined
          ? {}
          : {
              'x-ratelimit-remaining': '0',
              'x-ratelimit-reset': String(Math.ceil(now / 1_000) + fault.resetInSeconds),
            };
      response.writeHead(fault.status, {
        'content-type': 'application/json',
        ...reset,
        ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
      });
      const kind =
        fault.resetInSeconds === undefined ? 'You have exceeded a secondary rate limit.' : 'API rate limit exceeded.';
      response.end(JSON.stringify({ message: kind }));
      return true;
    }
  }
}

function head(response: ServerResponse, { status, headers, body }: Prepared): void {
  response.writeHead(status, { ...headers, 'content-length': String(body.length) });
}

function dribble(response: ServerResponse, body: Buffer, bytes: number): void {
  let sent = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(sent, (sent += bytes)));
    if (sent >= body.length) response.end();
  }, TICK_MS);
  response.on('close', () => clearInterval(timer));
}

function pour(response: ServerResponse, total: number): void {
  const chunk = Buffer.alloc(65_536, 'x');
  let sent = 0;
  const more = (): void => {
    while (sent < total && !response.destroyed) {
      sent += chunk.length;
      if (!response.write(chunk)) return;
    }
    if (!response.destroyed) response.end();
  };
  response.on('drain', more);
  more();
}
