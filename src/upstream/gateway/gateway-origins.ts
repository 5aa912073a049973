import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HeaderList, StreamingOrigin, StreamingResponse } from '../../cache';
import { endToEnd, toHeaderList, valueOf, valuesOf } from '../../cache/law';
import { networkOf } from '../../kernel/network';
import { bufferSmallBody, type BufferedBody } from '../buffered-body';
import type { UpstreamContext } from '../upstream-context';
import type { UpstreamRelay } from '../upstream-relay';
import { CACHEABLE } from './header-rules';
import { receivedFields, viaField } from './hops';
import { ANONYMOUS, type CredentialsToSend, type Partition } from './partition';
import { begun } from './request-body';
import type { RequestTarget } from './request-target';
import { Uploads } from './uploads';

/** The caller of a request: a client of the gateway, or the service itself. */
export interface OriginCaller {
  readonly httpVersion: string;
  /** The client's address; absent for the service itself. */
  readonly address?: string;
  readonly userAgent?: string | undefined;
  /** The body of a write, and the message that it belongs to. */
  readonly body?: { readonly stream: IncomingMessage; readonly message: IncomingMessage; readonly hasLength: boolean };
  /** Called with interim responses (1xx). */
  readonly onInterim?: (status: number, hints: HeaderList) => void;
}

/** The service itself, in a request for a stored response. */
export const THE_SERVICE: OriginCaller = { httpVersion: '1.1' };

/** A client of the gateway. */
export function callerOf(request: FastifyRequest, reply: FastifyReply, rewrite: Rewrite, path: string): OriginCaller {
  const { body, headers, raw, ip } = request;
  const hasLength = headers['content-length'] !== undefined;
  const hasBody = hasLength || headers['transfer-encoding'] !== undefined;
  const stream = (body as IncomingMessage | undefined) ?? raw;
  return {
    ...{ httpVersion: raw.httpVersion, address: ip, userAgent: headers['user-agent'] },
    ...(hasBody && { body: { stream, message: raw, hasLength } }),
    onInterim: (status, hints) => sendInterim(reply, status, () => rewrite(hints, raw, path)),
  };
}

type Rewrite = (fields: HeaderList, request: IncomingMessage, path: string) => HeaderList;

/** The upstream as one request of the gateway asks it: the fields it goes with, its turn, its limits. */
export class GatewayOrigins {
  /** Takes turns for bodies that take long to come; undefined in the strict profile, where all are sent at once. */
  private readonly uploads: Uploads | undefined;

  constructor(
    private readonly upstream: UpstreamContext,
    private readonly relay: UpstreamRelay,
  ) {
    const { settings, api } = upstream;
    // A quarter of the permits at most.
    const maxConcurrency = Math.max(1, Math.floor(settings.maxConcurrency / 4));
    const limits = { maxConcurrency, maxWaiting: MAX_UPLOADS_WAITING, deadlineMs: api.limits.timeoutMs };
    this.uploads = settings.isStrict ? undefined : new Uploads(limits);
  }

  /** @param onBody called with the body of a write before it is sent, where all of it is at hand */
  of(
    caller: OriginCaller,
    target: RequestTarget,
    partition: Partition,
    onBody?: (body: Buffer) => void,
  ): StreamingOrigin {
    const { api, headerRules, callers, limits: budget } = this.upstream;
    const { own } = partition;
    return async ({ method, headers, signal, isBackground }) => {
      const isBodiless = CACHEABLE.has(method);
      const endsHere = (name: string): boolean =>
        isBodiless && (headerRules.endingHere.has(name) || OF_A_BODY.has(name));
      const fields = headers.flatMap(([name, value]) => (endsHere(name) ? [] : [name, value]));
      const add = (name: string, value: string | undefined): void => {
        if (value !== undefined && !headers.some(([known]) => known === name)) fields.push(name, value);
      };
      // The client's own fields are forwarded unchanged; an API may require a `User-Agent`, though, and the client's is not forwarded.
      if (callers.partitions) add('user-agent', api.headers['user-agent']);
      // What anonymous callers share is for reading: no page that they visit writes with it.
      const credentials = own ?? (isBodiless ? callers.shared : undefined);
      for (let at = 0; credentials && at < credentials.fields.length; at += 2)
        add(credentials.fields[at] ?? '', credentials.fields[at + 1]);
      const path = withCredentials(target, credentials);
      // An answer that others may get does not depend on the version in which the first of them asked.
      const isForOthers = isBodiless && callers.partitions !== undefined;
      fields.push(...viaField(isForOthers ? '1.1' : caller.httpVersion), ...headerRules.announces);
      const body = isBodiless ? undefined : caller.body;
      if (body !== undefined && !body.hasLength) fields.push('transfer-encoding', 'chunked');
      const sendWith = async (
        stream: Readable | undefined,
      ): Promise<StreamingResponse & { readonly body: IncomingMessage }> => {
        const answer = await this.relay.send({
          ...{ method, path, headers: fields, body: stream, signal },
          onInterim: (status, rawHeaders) => caller.onInterim?.(status, this.withoutCredentials(hintsOf(rawHeaders))),
        });
        return { ...answer, headers: this.withoutCredentials(receivedFields(answer)) };
      };
      if (!budget) return sendWith(body?.stream);
      const sendAndPeek = async (
        stream: Readable | undefined,
      ): Promise<StreamingResponse & Partial<BufferedBody> & { readonly rest: IncomingMessage }> => {
        const sent = await sendWith(stream);
        const answer = { ...sent, rest: sent.body };
        const field = (name: string): string | undefined => valueOf(answer.headers, name);
        const declaredBytes = Number(field('content-length') ?? 0);
        const maxBytes = budget.adapter.bodyBytesOf({ status: answer.status, field });
        if (maxBytes === 0 || declaredBytes > maxBytes) return answer;
        return {
          ...answer,
          ...(await bufferSmallBody(answer.body, field('content-encoding'), { maxBytes, maxMs: PEEK_MS })),
        };
      };
      const credential = callers.credentialOf(partition.id);
      const { address, userAgent } = caller;
      const asked = {
        credential,
        ...(address !== undefined && { address, userAgent }),
        method,
        path: target.path,
        isBackground,
        signal,
      };
      const schedule = async (stream?: Readable): Promise<StreamingResponse> => {
        const { answer, refusal } = await budget.schedule(asked, () => sendAndPeek(stream), {
          field: ({ headers: answered }, name) => valueOf(answered, name),
          text: ({ text }) => text,
          rest: ({ rest }) => rest,
        });
        return refusal ? { ...answer, isRefusal: true } : answer;
      };
      if (body === undefined) return schedule();
      const { stream, isWhole, bytes } = await begun(body.stream, UPLOAD_BYTES);
      if (bytes !== undefined) onBody?.(bytes);
      const { uploads } = this;
      if (isWhole || !uploads) return schedule(stream);
      const tenant = own === undefined ? `${ANONYMOUS} ${networkOf(address ?? '')}` : credential;
      return uploads.run(tenant, body.message, signal, () => schedule(stream));
    };
  }

  /** An API may repeat the URL with its credentials in `Link` or elsewhere. */
  private withoutCredentials(fields: HeaderList): HeaderList {
    const { queryCredentials } = this.upstream.callers;
    if (!queryCredentials.hasNames) return fields;
    return fields.map(([name, value]) => [name, queryCredentials.removedFrom(value)]);
  }
}

/** Path and query as they go upstream. */
function withCredentials({ path, query }: RequestTarget, credentials: CredentialsToSend | undefined): string {
  if (credentials === undefined || credentials.query === '') return path + query;
  return `${path}${query === '' ? '?' : `${query}&`}${credentials.query}`;
}

function hintsOf(rawHeaders: readonly string[]): HeaderList {
  return endToEnd(toHeaderList(rawHeaders)).filter(([name]) => name !== 'content-length');
}

/** Hands an interim response on, as far as node knows it (102, 103), while the answer itself is still to come. */
function sendInterim({ raw, request }: FastifyReply, status: number, rewrite: () => HeaderList): void {
  // RFC 9110 §15.2: never to a client of HTTP/1.0
  if (raw.headersSent || raw.destroyed || request.raw.httpVersionMinor === 0) return;
  if (status === 102) raw.writeProcessing();
  if (status !== 103) return;
  const fields = rewrite();
  const hints = Object.fromEntries(fields.map(([name]) => [name, valuesOf(fields, name)]));
  try {
    if (hints['link'] !== undefined) raw.writeEarlyHints(hints);
  } catch {
    return; // node takes no link of another form than its own; a hint may be left out, an answer may not
  }
}

/** How long a body is waited for that has to be read for its limits. */
const PEEK_MS = 1_000;
/** Larger request bodies take turns of their own, so that slow ones leave room for everything else. */
const UPLOAD_BYTES = 65_536;
const MAX_UPLOADS_WAITING = 1_000;
/** Framing header fields. Forwarding them without a body would desynchronise the connection (request smuggling). */
const OF_A_BODY: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'expect']);
