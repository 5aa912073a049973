import type { IncomingMessage } from 'node:http';
import {
  PreparedResponse,
  UnreadableEntryError,
  type CacheEntry,
  type HeaderList,
  type PreparedResponses,
  type StoredAnswer,
} from '../../cache';
import type { ClientOrigin } from '../../server/client-origin';
import type { UpstreamApi } from '../upstream-api';
import { limitsNow, PRESENTATION, withoutCors, type LimitsNow } from './gateway-fields';
import type { Partitions } from './partition';
import { UnpackedBodies } from './unpacked-bodies';
import { haveUrls, rewriteUrls } from './url-rewriting';

export interface GatewayResponsesOptions {
  readonly api: UpstreamApi;
  /** Where the gateway is mounted, such as `/acme`. */
  readonly prefix: string;
  /** The service as the client knows it, for the links in header fields; undefined where it has named no host. */
  readonly originFor: ClientOrigin;
  /** Undefined: one shared cache for all callers, whose credentials are ordinary fields (RFC 9111 §3.5). */
  readonly partitions: Partitions | undefined;
  /** Whether what the upstream says of CORS goes on to its clients. */
  readonly keepsCors: boolean;
  /** A link's path by another name of the same, if the upstream writes it otherwise than it was asked for. */
  readonly linkedAs: (path: string, asked: string) => string;
  /** The current rate limits, in place of the stored response's; undefined to send those unchanged. */
  readonly limits: LimitsNow | undefined;
}

export type GatewayResponse = PreparedResponse<StoredAnswer>;

/** The upstream's responses as the gateway's clients get them: with the gateway's URLs, and prepared to be sent again. */
export class GatewayResponses {
  private readonly unpacked = new UnpackedBodies();

  constructor(
    private readonly options: GatewayResponsesOptions,
    private readonly prepared: PreparedResponses,
  ) {}

  /** The fields with the upstream's URLs turned into the gateway's, as the request names it. */
  rewritten(received: HeaderList, request: IncomingMessage, path: string): HeaderList {
    const { api, linkedAs, partitions, keepsCors } = this.options;
    const fields = keepsCors ? received : withoutCors(received);
    if (!haveUrls(fields)) return fields;
    return rewriteUrls(fields, {
      ...{ upstreamBase: api.baseUrl, gatewayBase: this.baseFor(request), path },
      linkedAs: (linked) => linkedAs(linked, path),
      keepsRelative: partitions === undefined,
    });
  }

  /**
   * The body of a stored response without its coding.
   *
   * @throws UnreadableEntryError
   */
  async bodyOf(entry: CacheEntry, key: string): Promise<Buffer> {
    try {
      return this.prepared.get<StoredAnswer>(entry, 'identity')?.body ?? (await this.unpacked.of(entry));
    } catch (cause) {
      throw new UnreadableEntryError(key, { cause });
    }
  }

  /**
   * The prepared response of the entry for clients that name the gateway as the request does; kept for the next one of them.
   *
   * @param key of the URL, as `Cache-Status` names it
   * @throws UnreadableEntryError
   */
  prepare(
    entry: CacheEntry,
    key: string,
    request: IncomingMessage,
    path: string,
  ): GatewayResponse | Promise<GatewayResponse> {
    const known = this.prepared.get<StoredAnswer>(entry, 'identity');
    if (known && (known.base === undefined || known.base === this.baseFor(request))) return known;
    const made = this.prepareUncached(entry, key, request, path, { body: known?.body });
    const keep = (response: GatewayResponse): GatewayResponse => {
      this.prepared.keep(entry, 'identity', response);
      return response;
    };
    return made instanceof PreparedResponse ? keep(made) : made.then(keep);
  }

  /**
   * As `prepare`, for an entry that memory may not have.
   *
   * @param known its body, where that is unpacked already; and whether the response is new, so that its own rate limits are the newest
   * @throws UnreadableEntryError
   */
  prepareUncached(
    entry: CacheEntry,
    key: string,
    request: IncomingMessage,
    path: string,
    { body: unpacked, isFirst = false }: { readonly body?: Buffer | undefined; readonly isFirst?: boolean } = {},
  ): GatewayResponse | Promise<GatewayResponse> {
    const { limits } = this.options;
    const make = (body: Buffer): GatewayResponse => {
      const showsLimits = limits !== undefined && !isFirst;
      const fields = entry.headers.filter(
        ([name]) => name !== 'content-length' && !(showsLimits && limits.names.has(name)),
      );
      const base = haveUrls(fields) ? this.baseFor(request) : undefined;
      const stored = this.rewritten(fields, request, path);
      const presentation = showsLimits ? limitsNow(limits, key, path) : PRESENTATION;
      return new PreparedResponse(entry, body, { presentation, key, stored, base });
    };
    const refuse = (cause: unknown): never => {
      throw new UnreadableEntryError(key, { cause });
    };
    try {
      const body = unpacked ?? this.unpacked.of(entry);
      return Buffer.isBuffer(body) ? make(body) : body.then(make, refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  /** Without a slash at its end. A client of HTTP/1.0 may name no host: then a path, which is a reference too. */
  private baseFor(request: IncomingMessage): string {
    const { originFor, prefix } = this.options;
    return `${originFor(request) ?? ''}${prefix}`;
  }
}
