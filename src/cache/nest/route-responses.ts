import { Injectable } from '@nestjs/common';
import { cacheFields } from '../law/cache-status';
import type { CacheEntry, ContentCoding, HeaderList } from '../model/cache-entry';
import type { StoredAnswer } from '../model/exchange';
import { acceptsGzip, gzipTag, identityBody } from '../law/content-coding';
import { responseForm, type ResponseForm } from '../law/response-form';
import { withLastMember } from '../law/representation';
import { PreparedResponse, type Presentation } from '../fast-path/prepared-response';
import { PreparedResponses } from '../fast-path/prepared-responses';
import { isValueEntry } from '../values/handed-value';

export type RouteResponse = PreparedResponse<StoredAnswer>;

/**
 * Stored responses of routes as they go out: in the coding they are stored in, and unpacked for clients that do not take it.
 *
 * Its one invariant: interceptor and fast path send what this prepares, so that both send the same.
 */
@Injectable()
export class RouteResponses {
  constructor(private readonly prepared: PreparedResponses) {}

  /** The response that is prepared, or can be at once; undefined where a body must be unpacked first. */
  getIfReady(entry: CacheEntry, key: string, acceptEncoding: string | undefined): RouteResponse | undefined {
    const isGzip = entry.coding === 'gzip' && acceptsGzip(acceptEncoding);
    const known = this.prepared.get<StoredAnswer>(entry, isGzip ? 'gzip' : 'identity');
    if (known) return known;
    if ((!isGzip && entry.coding === 'gzip') || isValueEntry(entry)) return undefined;
    return this.keep(entry, entry.coding, responseOf(entry, key, entry.coding, entry.body));
  }

  /**
   * The response in the coding that the client takes, kept for later requests.
   *
   * @throws Error for a stored body that cannot be unpacked
   */
  prepare(entry: CacheEntry, key: string, acceptEncoding: string | undefined): RouteResponse | Promise<RouteResponse> {
    const ready = this.getIfReady(entry, key, acceptEncoding);
    if (!ready && isValueEntry(entry))
      throw new Error('It was stored for an interceptor that the route no longer has.');
    return ready ?? unpacked(entry, (body) => this.keep(entry, 'identity', responseOf(entry, key, 'identity', body)));
  }

  /** As `prepare`, for a response that was just loaded: it may never be asked for again, and L1 may get another object of it. */
  prepareUncached(
    entry: CacheEntry,
    key: string,
    acceptEncoding: string | undefined,
  ): RouteResponse | Promise<RouteResponse> {
    if (entry.coding === 'gzip' && acceptsGzip(acceptEncoding)) return responseOf(entry, key, 'gzip', entry.body);
    return unpacked(entry, (body) => responseOf(entry, key, 'identity', body));
  }

  private keep(entry: CacheEntry, coding: ContentCoding, response: RouteResponse): RouteResponse {
    this.prepared.keep(entry, coding, response);
    return response;
  }
}

/**
 * The part of a route's response that a request gets. `If-Modified-Since` counts for nothing where the handler gave no `Last-Modified` (RFC 9110
 * §13.1.3: "MUST ignore").
 */
export function routeForm(method: string | undefined, asked: HeaderList, prepared: RouteResponse): ResponseForm {
  const isDated = asked.length === 0 || prepared.stored.some(([name]) => name === 'last-modified');
  return responseForm(method, isDated ? asked : asked.filter(([name]) => name !== 'if-modified-since'), prepared);
}

/** Fields that a 304 does not repeat: they describe a body that is not sent (RFC 9110 §15.4.5). */
export const CONTENT_FIELDS: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'content-language']);

const PRESENTATION: Presentation<StoredAnswer> = {
  cacheFields: (answer, key, now) => Object.entries(cacheFields(answer, key, now)).flat() as string[],
  // The handler's own fields take precedence.
  edgeFields: (edge, stored) => edge.filter((_, at) => !stored.some(([name]) => name === edge[at - (at % 2)])),
  notModifiedFields: (stored) => stored.filter(([name]) => !CONTENT_FIELDS.has(name)),
};

function responseOf(entry: CacheEntry, key: string, coding: ContentCoding, coded: Buffer): RouteResponse {
  const body = entry.hitFlagName === undefined ? coded : withLastMember(coded, entry.hitFlagName, 'true');
  const etag = coding === 'gzip' ? gzipTag(entry.etag) : entry.etag;
  return new PreparedResponse(entry, body, {
    presentation: PRESENTATION,
    key,
    stored: storedFields(entry, coding),
    etag,
  });
}

function storedFields(entry: CacheEntry, coding: ContentCoding): HeaderList {
  const fields: [string, string][] = [];
  const vary: string[] = [];
  for (const [name, value] of entry.headers) {
    if (name === 'vary') vary.push(value);
    else fields.push([name, value]);
  }
  // Both forms of one entry say that there are two (RFC 9110 §12.5.5).
  if (entry.coding !== 'identity' && !/\baccept-encoding\b|\*/i.test(vary.join())) vary.push('Accept-Encoding');
  if (vary.length > 0) fields.push(['vary', vary.join(', ')]);
  if (coding !== 'identity') fields.push(['content-encoding', coding]);
  return fields;
}

function unpacked(entry: CacheEntry, make: (body: Buffer) => RouteResponse): RouteResponse | Promise<RouteResponse> {
  const body = identityBody(entry);
  return Buffer.isBuffer(body) ? make(body) : body.then(make);
}
