import { request as httpRequest, type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';

export interface RawRequestOptions {
  /** When to stop listening, counted from the last byte: long, for a server that is slow and then closes the connection. */
  timeoutMs?: number;
  /** What suffices of an answer on a connection that stays open. */
  until?: (received: string) => boolean;
  /** Whether to half-close after writing, as `nc -N` does. */
  endAfterWrite?: boolean;
}

export interface HttpRequestOptions {
  method?: string;
  /** A flat list of names and values sends them as they are, duplicates included. */
  headers?: OutgoingHttpHeaders | readonly string[];
  body?: string | Buffer;
  /** By default every request has a connection of its own. */
  agent?: Agent;
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: Buffer;
}

/**
 * Writes the bytes as they are to a port of 127.0.0.1 and resolves with all that came back until that sufficed, or the server closed or fell
 * silent. A reset ends the answer; a refused connection rejects.
 */
export function rawRequest(
  port: number,
  bytes: string | Buffer,
  { timeoutMs = 30_000, until, endAfterWrite = false }: RawRequestOptions = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    let isConnected = false;
    const socket = connect(port, '127.0.0.1', () => {
      isConnected = true;
      socket.write(bytes);
      if (endAfterWrite) socket.end();
    });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if (until?.(Buffer.concat(received).toString('latin1')) === true) socket.destroy();
    });
    socket.on('error', (error) => {
      if (!isConnected) reject(error);
    });
    socket.on('close', () => resolve(Buffer.concat(received)));
  });
}

/**
 * One request by node:http or node:https: no redirect is followed, nothing is decompressed, a truncated body rejects. A certificate is not
 * checked: the server is one of our own.
 */
export function request(url: string | URL, options: HttpRequestOptions = {}): Promise<HttpAnswer> {
  const { method = 'GET', headers, body, agent = false, timeoutMs = 60_000, signal } = options;
  return new Promise((resolve, reject) => {
    const send = String(url).startsWith('https:') ? httpsRequest : httpRequest;
    const sending = { method, headers, agent, signal, rejectUnauthorized: false };
    const outgoing = send(url, sending, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const { statusCode = 0, headers: received, rawHeaders } = incoming;
        resolve({ status: statusCode, headers: received, rawHeaders, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', reject);
    outgoing.setTimeout(timeoutMs, () => {
      outgoing.destroy(new Error(`${method} ${String(url)}: silence for ${timeoutMs} ms`));
    });
    outgoing.end(body);
  });
}
