import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, RawRequestDefaultExpression } from 'fastify';
import { AppError } from '../kernel/app-error';
import { millisecondsText } from '../kernel/milliseconds';
import { isOriginForm, NO_TARGET } from './origin-form';
import { Cors, type AllowedOrigins } from './cors';

/** A name, an address or one in brackets, and a port: RFC 9110 §7.2 without characters that are in no host name. */
const HOST = /^(?:\[[\da-f:.]+\]|(?:[\w.~-]|%[\da-f]{2})*)(?::\d{0,5})?$/i;
const REQUEST_ID = /^[\w.:-]{1,64}$/;
const PREFLIGHT_SECONDS = '86400';

const EXPOSED = 'X-Response-Time, X-Request-Id, X-Cache, Cache-Status, Age, ETag, Retry-After, Allow, Location, Link';
/** Fields of every response. */
const ALWAYS: Readonly<Record<string, string>> = { 'x-content-type-options': 'nosniff' };

/**
 * Fields of the service's own responses. CORS is the same for all: every page may read, none may send cookies
 * (https://fetch.spec.whatwg.org/#http-cors-protocol), so that it costs nothing per request.
 */
export const EDGE_FIELDS: Readonly<Record<string, string>> = {
  ...new Cors('*', EXPOSED).fieldsFor(undefined),
  ...ALWAYS,
};

const FIELDS_OF_EDGE = Object.entries(EDGE_FIELDS);

/**
 * CORS of an upstream's responses: every field may be read. A wildcard means all of them, if no cookies are sent
 * (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name).
 */
export function relayedCors(origins: AllowedOrigins, isStrict: boolean): Cors {
  return new Cors(origins, isStrict ? EXPOSED : '*');
}

/** The fields of a response on a route with its own CORS. */
export function edgeFieldsFor(cors: Cors, origin: string | undefined): Readonly<Record<string, string>> {
  return { ...cors.fieldsFor(origin), ...ALWAYS };
}

/** The response to a preflight (https://fetch.spec.whatwg.org/#cors-preflight-fetch). */
export interface Preflight {
  readonly methods: readonly string[];
  /** Fields that a page may send. */
  readonly fields: readonly string[];
}

const USUAL: Preflight = {
  methods: ['GET', 'HEAD', 'POST', 'DELETE'],
  fields: ['Authorization', 'Content-Type', 'If-None-Match', 'X-Request-Id'],
};
/** For routes that forward requests. */
export const RELAYED: Preflight = {
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  fields: [
    ...['Authorization', 'Content-Type', 'Accept', 'If-Match', 'If-None-Match'],
    ...['If-Modified-Since', 'If-Unmodified-Since', 'If-Range', 'Range', 'Cache-Control', 'User-Agent', 'X-Request-Id'],
  ],
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The preflight response of the route, if not the usual one; `passed` if the route answers it itself. */
    preflight?: Preflight | 'passed';
    /** Which pages may read the route's responses, if not those of any origin. */
    cors?: Cors;
  }
}

const ALL_METHODS = [...RELAYED.methods, 'OPTIONS'].join(', ');

/** Random for each process, counted within it: no two requests share an id, and an id costs nothing. */
const PROCESS_ID = randomBytes(9).toString('base64url');
let requests = 0;

/** The caller's `X-Request-Id` if it is harmless, else a new one: it goes into responses and logs. */
export function requestId(request: RawRequestDefaultExpression): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : newRequestId();
}

export function newRequestId(): string {
  return `${PROCESS_ID}.${(++requests).toString(36)}`;
}

/** Adds the fields of every response, errors included: the fields above, `X-Request-Id`, and `X-Response-Time` in milliseconds. */
export function addEdgeHooks(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const refusal = refusalOf(request.raw);
    const isPreflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    const preflight = isPreflight ? (request.routeOptions.config.preflight ?? USUAL) : 'passed';
    if (refusal) done(refusal);
    // RFC 9110 §9.3.7: `*` "applies to the server in general rather than to a specific resource"
    else if (request.raw.url === '*') void reply.code(204).header('allow', ALL_METHODS).send();
    else if (preflight !== 'passed')
      answerPreflight(reply, preflight, request.routeOptions.config.cors?.allows(request.headers.origin) !== false);
    else done();
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    const { cors } = request.routeOptions.config;
    if (cors) reply.headers(edgeFieldsFor(cors, request.headers.origin));
    // A route's own field takes precedence.
    else for (const [name, value] of FIELDS_OF_EDGE) if (!reply.hasHeader(name)) reply.header(name, value);
    reply.header('x-request-id', request.id);
    reply.header('x-response-time', millisecondsText(reply.elapsedTime));
    done(null, payload);
  });
}

/** Why a request is refused before routing. */
export function refusalOf({
  method,
  httpVersionMajor,
  rawHeaders,
  url = '',
}: RawRequestDefaultExpression): AppError | undefined {
  // node also reads HTTP/0.9 and 2.0 in the form of HTTP/1, which no honest client sends.
  if (httpVersionMajor !== 1) return new AppError('request-invalid', 'The request is not HTTP/1.1 or HTTP/1.0.');
  // RFC 9112 §3.2: a target that is no absolute form of http or https; `*` is for OPTIONS alone
  if (!isOriginForm(url) && !(url === '*' && method === 'OPTIONS')) return new AppError('request-invalid', NO_TARGET);
  let hosts = 0;
  let codings = 0;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    // RFC 9112 §3.2: more than one, or one that is none
    if (isNamed(name, 'host') && (++hosts > 1 || !isHost(value)))
      return new AppError('request-invalid', 'Send one Host field: a host and, if need be, a port.');
    // RFC 9112 §6.1
    if (isNamed(name, 'transfer-encoding') && (++codings > 1 || value.toLowerCase() !== 'chunked'))
      return new AppError('transfer-coding-unknown', 'Send the body chunked, or with its Content-Length.');
  }
  return undefined;
}

/** The last host that was right: nearly all requests name the same. */
let knownHost = '';

function isHost(value: string): boolean {
  if (value === knownHost) return true;
  if (!HOST.test(value)) return false;
  knownHost = value;
  return true;
}

function isNamed(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase;
}

function answerPreflight(reply: FastifyReply, { methods, fields }: Preflight, isAllowed: boolean): void {
  if (!isAllowed) {
    void reply.code(204).send(); // without CORS fields the browser stops here
    return;
  }
  void reply
    .code(204)
    .headers({
      'access-control-allow-methods': methods.join(', '),
      'access-control-allow-headers': fields.join(', '),
      'access-control-max-age': PREFLIGHT_SECONDS,
    })
    .send();
}
