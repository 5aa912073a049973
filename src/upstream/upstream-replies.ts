import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import type { CacheEntry, CacheOutcome, HeaderList, HttpAnswer } from '../cache';
import { valueOf } from '../cache/law';
import { AppError } from '../kernel/app-error';
import { parseJson } from '../kernel/json';
import type { GatewayResponses } from './gateway/gateway-responses';
import type { UpstreamApi } from './upstream-api';
import { upstreamFailure } from './upstream-failure';
import type { UpstreamResponse } from './upstream-fetcher';
import { unpacked, wholeBody } from './whole-body';

/** A response of the upstream, whatever its status; stored or new. The bytes of `body` are shared with the cache: copy them before a change. */
export interface UpstreamReply extends UpstreamResponse {
  readonly outcome: CacheOutcome;
  /** The body as JSON, parsed once for each stored response and shared: it is frozen. */
  json<T>(): T;
}

const MAX_PARSED_BYTES = 16_777_216;

/** Makes the replies of an upstream's client from the answers of the cache: bodies whole and without their coding, JSON parsed once. */
export class UpstreamReplies {
  private readonly parsed = new LRUCache<string, { readonly json: unknown }>({ maxSize: MAX_PARSED_BYTES });

  constructor(
    private readonly api: UpstreamApi,
    private readonly responses: GatewayResponses,
  ) {}

  /** @throws AppError `upstream-too-large`, `upstream-invalid`, or why the body broke off */
  async fromAnswer(answer: HttpAnswer, key: string): Promise<UpstreamReply> {
    const { outcome } = answer;
    if (answer.kind === 'stored') {
      const { entry } = answer;
      const body = await this.decoded(entry, await this.responses.bodyOf(entry, key));
      return {
        ...responseOf(entry.status, entry.headers, body),
        outcome,
        json: <T>() => this.jsonOf(entry, body) as T,
      };
    }
    const body = await this.collect(answer);
    return { ...responseOf(answer.status, answer.headers, body), outcome, json: <T>() => frozen(parse(body)) as T };
  }

  /** A stored body without the coding that the upstream gave it. */
  decoded({ headers }: CacheEntry, body: Buffer): Promise<Buffer> {
    return this.readable((maxBytes) => unpacked(body, valueOf(headers, 'content-encoding'), maxBytes));
  }

  private collect({ body, headers }: Extract<HttpAnswer, { kind: 'streamed' }>): Promise<Buffer> {
    const stream = Buffer.isBuffer(body) ? Readable.from([body]) : Readable.from(body);
    return this.readable((maxBytes) => wholeBody(stream, valueOf(headers, 'content-encoding'), maxBytes));
  }

  /** @throws AppError `upstream-too-large`, `upstream-invalid` for a coding that was not asked for, or why the body broke off */
  private async readable(read: (maxBytes: number) => Promise<Buffer>): Promise<Buffer> {
    try {
      return await read(this.api.limits.maxResponseBytes);
    } catch (error) {
      throw error instanceof AppError ? error : upstreamFailure(error, this.api, false);
    }
  }

  private jsonOf({ id }: CacheEntry, body: Buffer): unknown {
    const known = this.parsed.get(id);
    if (known) return known.json;
    const json = frozen(parse(body));
    this.parsed.set(id, { json }, { size: body.length + 1 });
    return json;
  }
}

export function responseOf(status: number, fields: HeaderList, body: Buffer): UpstreamResponse {
  const headers = Object.create(null) as Record<string, string>; // any name may come, `constructor` too
  for (const [name, value] of fields)
    if (name !== 'content-encoding') headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  return { status, headers, body };
}

function parse(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    throw new AppError('upstream-invalid', 'The response of the upstream is no JSON.', { cause: error });
  }
}

/** Frozen to its leaves, because all readers of the stored response share it. Without recursion: a body may be nested deeply. */
function frozen(json: unknown): unknown {
  const open: unknown[] = [json];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const member of Object.values(Object.freeze(value))) open.push(member);
  }
  return json;
}
