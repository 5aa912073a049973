import type { IncomingMessage } from 'node:http';
import { UnreadableEntryError, type CacheEntry, type Deliveries, type HeaderList } from '../../cache';
import type { UpstreamDefinition } from '../upstream-definition';
import { withoutCors } from './gateway-fields';
import type { Partitions } from './partition';
import { RelayedDelivery } from './relayed-delivery';
import { UnpackedBodies } from './unpacked-bodies';
import { gatewayBaseOf, haveUrls, rewriteUrls } from './url-rewriting';

export interface RelayedAnswersOptions {
  readonly definition: UpstreamDefinition;
  /** Where the gateway is mounted, such as `/github`. */
  readonly prefix: string;
  /** The service as its clients know it, for the links in header fields; undefined: as each request names it. */
  readonly publicUrl: string | undefined;
  /** Undefined: one shared cache for all callers, whose credentials are fields like others (RFC 9111 §3.5). */
  readonly partitions: Partitions | undefined;
  /** Whether what the upstream says of CORS goes on to its clients. */
  readonly keepsCors: boolean;
  /** A link's path by another name of the same, if the upstream writes it otherwise than it was asked for. */
  readonly linkedAs: (path: string, asked: string) => string;
}

/** What the upstream answered as the gateway's clients get it: with the gateway's URLs, and ready to be sent again. */
export class RelayedAnswers {
  private readonly unpacked = new UnpackedBodies();

  constructor(
    private readonly options: RelayedAnswersOptions,
    private readonly deliveries: Deliveries,
  ) {}

  /** The fields with the upstream's URLs turned into the gateway's, as the request names it. */
  rewritten(received: HeaderList, request: IncomingMessage, path: string): HeaderList {
    const { definition, publicUrl, prefix, linkedAs, partitions, keepsCors } = this.options;
    const fields = keepsCors ? received : withoutCors(received);
    if (!haveUrls(fields)) return fields;
    return rewriteUrls(fields, {
      ...{ upstreamBase: definition.baseUrl, gatewayBase: gatewayBaseOf(request, publicUrl, prefix), path },
      linkedAs: (linked) => linkedAs(linked, path),
      keepsRelative: partitions === undefined,
    });
  }

  /**
   * The body of what is stored, without the coding it is stored in.
   *
   * @throws UnreadableEntryError
   */
  bodyOf(entry: CacheEntry, key: string): Buffer | Promise<Buffer> {
    const refuse = (cause: unknown): never => {
      throw new UnreadableEntryError(key, { cause });
    };
    try {
      const body = this.deliveries.relayed(entry)?.body ?? this.unpacked.of(entry);
      return Buffer.isBuffer(body) ? body : body.catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  /**
   * What is ready to be sent of the entry to those who name the gateway as the request does; kept for the next.
   *
   * @param key of the URL, as `Cache-Status` tells it
   * @throws UnreadableEntryError
   */
  ready(
    entry: CacheEntry,
    key: string,
    request: IncomingMessage,
    path: string,
  ): RelayedDelivery | Promise<RelayedDelivery> {
    const { publicUrl, prefix } = this.options;
    const known = this.deliveries.relayed(entry);
    if (known instanceof RelayedDelivery) {
      if (known.base === undefined || known.base === gatewayBaseOf(request, publicUrl, prefix)) return known;
    }
    const body = this.bodyOf(entry, key);
    const make = (bytes: Buffer): RelayedDelivery => {
      const fields = entry.headers.filter(([name]) => name !== 'content-length');
      const base = haveUrls(fields) ? gatewayBaseOf(request, publicUrl, prefix) : undefined;
      const delivery = new RelayedDelivery(entry, bytes, this.rewritten(fields, request, path), base, key);
      this.deliveries.keepRelayed(entry, delivery);
      return delivery;
    };
    return Buffer.isBuffer(body) ? make(body) : body.then(make);
  }
}
