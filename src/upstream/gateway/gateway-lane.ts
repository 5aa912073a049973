import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import {
  isNotModified,
  mayWriteHead,
  writeReady,
  type CacheEvents,
  type Deliveries,
  type HeadContext,
  type HttpCache,
  type Way,
} from '../../cache';
import type { Clock } from '../../kernel/clock';
import type { HeaderRules } from './header-rules';
import { ANONYMOUS, type Partitions } from './partition';
import { RelayedDelivery } from './relayed-delivery';
import { gatewayBaseOf } from './url-rewriting';

export interface GatewayLaneOptions {
  readonly prefix: string;
  readonly upstream: string;
  readonly publicUrl: string | undefined;
  readonly headerRules: HeaderRules;
  readonly partitions: Partitions | undefined;
  readonly context: HeadContext;
  readonly requestId: (request: IncomingMessage) => string;
}

export interface GatewayLaneParts {
  readonly httpCache: HttpCache;
  readonly deliveries: Deliveries;
  readonly events: CacheEvents;
  readonly clock: Clock;
}

/** What a request is known by: all of it that an answer may depend on, but for its condition. */
interface Likeness {
  readonly text: string;
  readonly condition: string | undefined;
}

/** What a field of a request means to the lane. */
type FieldKind =
  /** It changes nothing. */
  | 'none'
  /** It goes upstream, and may select the answer. */
  | 'selecting'
  | 'credential'
  | 'condition'
  | 'connection'
  /** It needs thought. */
  | 'thought';

const NEEDS_THOUGHT: ReadonlySet<string> = new Set([
  ...['cache-control', 'pragma', 'range', 'if-range', 'if-match', 'if-modified-since', 'if-unmodified-since'],
  ...['content-length', 'transfer-encoding', 'expect', 'upgrade'],
]);
const NAMES = 500;
/** What is remembered of requests, in bytes. */
const WAYS_BYTES = 4_194_304;
const WAY_OVERHEAD_BYTES = 300;

/**
 * Answers a fresh hit in memory at the front door, to requests like those that have come the long way before.
 *
 * Its one invariant: the same answer to the byte as by the gateway. It decides nothing: the way to a hit is the cache's, which
 * is asked whether it still leads there, and the answer is the one that the gateway has prepared.
 */
export class GatewayLane {
  private readonly ways = new LRUCache<string, Way>({
    maxSize: WAYS_BYTES,
    sizeCalculation: (_way, text) => text.length + WAY_OVERHEAD_BYTES,
  });
  private readonly kinds = new Map<string, FieldKind>();

  constructor(
    private readonly options: GatewayLaneOptions,
    private readonly parts: GatewayLaneParts,
  ) {}

  /** Remembers the way that a request has taken to a hit. */
  learn(request: IncomingMessage, way: Way): void {
    const likeness = this.likenessOf(request);
    if (likeness) this.ways.set(likeness.text, way);
  }

  answers(request: IncomingMessage, response: ServerResponse): boolean {
    const startedAt = performance.now();
    const { method, url = '' } = request;
    const { prefix, publicUrl, upstream, context, requestId } = this.options;
    if ((method !== 'GET' && method !== 'HEAD') || !url.startsWith(prefix)) return false;
    const likeness = this.likenessOf(request);
    const way = likeness && this.ways.get(likeness.text);
    const entry = way && this.parts.httpCache.peek(way);
    if (!entry || !mayWriteHead(request, response)) return false;
    const delivery = this.parts.deliveries.relayed(entry);
    if (!(delivery instanceof RelayedDelivery) || !delivery.isWritable) return false;
    if (delivery.base !== undefined && delivery.base !== gatewayBaseOf(request, publicUrl, prefix)) return false;
    const { condition } = likeness;
    const isKnown =
      condition !== undefined &&
      entry.status === 200 &&
      isNotModified([['if-none-match', condition]], entry.headers, entry.storedAt);
    const head = delivery.headText({ entry, tier: 'l1' }, this.parts.clock.now(), isKnown, context);
    const durationMs = performance.now() - startedAt;
    const id = requestId(request);
    writeReady({ request, response, id }, delivery, head, { isNotModified: isKnown, durationMs });
    this.parts.events.publish({
      ...{ outcome: 'HIT', tier: 'l1', upstream, key: way.key, status: entry.status, durationMs, requestId: id },
    });
    return true;
  }

  /** Undefined for a request that needs thought. No field has a line break, so that no two requests are alike by accident. */
  private likenessOf({ method = '', rawHeaders, url = '' }: IncomingMessage): Likeness | undefined {
    let text = `${method} ${url}`; // HEAD of a path may be another route's than GET
    let credential: string | undefined;
    let condition: string | undefined;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      const value = rawHeaders[at + 1] ?? '';
      switch (this.kinds.get(name) ?? this.kindOf(name)) {
        case 'selecting':
          text += `\n${name}:${value}`;
          break;
        case 'credential':
          if (credential !== undefined) return undefined;
          credential = value;
          break;
        case 'condition':
          if (condition !== undefined) return undefined;
          condition = value;
          break;
        case 'connection':
          if (value !== 'keep-alive' && value.toLowerCase() !== 'keep-alive') return undefined;
          break;
        case 'thought':
          return undefined;
        case 'none':
      }
    }
    const { partitions } = this.options;
    const caller = credential === undefined || !partitions ? ANONYMOUS : partitions.idOf(credential.trim());
    return { text: `${caller}\n${text}`, condition };
  }

  private kindOf(name: string): FieldKind {
    const kind = this.think(name.toLowerCase());
    if (this.kinds.size < NAMES) this.kinds.set(name, kind);
    return kind;
  }

  private think(name: string): FieldKind {
    if (NEEDS_THOUGHT.has(name)) return 'thought';
    if (name === 'if-none-match') return 'condition';
    if (name === 'connection') return 'connection';
    if (name === 'host') return 'none';
    if (name === 'authorization' && this.options.partitions) return 'credential';
    return this.options.headerRules.forwards(name, true) ? 'selecting' : 'none';
  }
}
