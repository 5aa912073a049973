import type { IncomingMessage } from 'node:http';
import {
  PreparedResponse,
  UnreadableEntryError,
  type CacheEntry,
  type HeaderList,
  type PreparedResponses,
  type StoredAnswer,
} from '../../cache';
import type { UpstreamApi } from '../upstream-api';
import { PRESENTATION, withoutCors } from './gateway-fields';
import type { Partitions } from './partition';
import { UnpackedBodies } from './unpacked-bodies';
import { gatewayBaseOf, haveUrls, rewriteUrls } from './url-rewriting';

export interface GatewayResponsesOptions {
  readonly api: UpstreamApi;
  /** Where the gateway is mounted, such as `/acme`. */
  readonly prefix: string;
  /** The service as its clients know it, for the links in header fields; undefined: as each request names it. */
  readonly publicUrl: string | undefined;
  /** Undefined: one shared cache for all callers, whose credentials are ordinary fields (RFC 9111 §3.5). */
  readonly partitions: Partitions | undefined;
  /** Whether what the upstream says of CORS goes on to its clients. */
  readonly keepsCors: boolean;
  /** A link's path by another name of the same, if the upstream writes it otherwise than it was asked for. */
  readonly linkedAs: (path: string, asked: string) => string;
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
    const { api, publicUrl, prefix, linkedAs, partitions, keepsCors } = this.options;
    const fields = keepsCors ? received : withoutCors(received);
    if (!haveUrls(fields)) return fields;
    return rewriteUrls(fields, {
      ...{ upstreamBase: api.baseUrl, gatewayBase: gatewayBaseOf(request, publicUrl, prefix), path },
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
    const { publicUrl, prefix } = this.options;
    const known = this.prepared.get<StoredAnswer>(entry, 'identity');
    if (known && (known.base === undefined || known.base === gatewayBaseOf(request, publicUrl, prefix))) return known;
    const made = this.prepareUncached(entry, key, request, path, known?.body);
    const keep = (response: GatewayResponse): GatewayResponse => {
      this.prepared.keep(entry, 'identity', response);
      return response;
    };
    return made instanceof PreparedResponse ? keep(made) : made.then(keep);
  }

  /**
   * As `prepare`, for an entry that memory may not have.
   *
   * @throws UnreadableEntryError
   */
  prepareUncached(
    entry: CacheEntry,
    key: string,
    request: IncomingMessage,
    path: string,
    known?: Buffer,
  ): GatewayResponse | Promise<GatewayResponse> {
    const { publicUrl, prefix } = this.options;
    const make = (body: Buffer): GatewayResponse => {
      const fields = entry.headers.filter(([name]) => name !== 'content-length');
      const base = haveUrls(fields) ? gatewayBaseOf(request, publicUrl, prefix) : undefined;
      const stored = this.rewritten(fields, request, path);
      return new PreparedResponse(entry, body, { presentation: PRESENTATION, key, stored, base });
    };
    const refuse = (cause: unknown): never => {
      throw new UnreadableEntryError(key, { cause });
    };
    try {
      const body = known ?? this.unpacked.of(entry);
      return Buffer.isBuffer(body) ? make(body) : body.then(make, refuse);
    } catch (error) {
      return refuse(error);
    }
  }
}
