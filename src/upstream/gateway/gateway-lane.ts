import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import {
  inOnePiece,
  isNotModified,
  mayWriteBody,
  mayWriteHead,
  textBytes,
  writeReady,
  type CacheEvents,
  type Found,
  type HeadContext,
  type KnownWays,
  type Way,
} from '../../cache';
import type { Clock } from '../../kernel/clock';
import type { HeaderRules } from './header-rules';
import { ANONYMOUS, type Partitions } from './partition';
import type { RelayedAnswers } from './relayed-answers';
import { RelayedDelivery } from './relayed-delivery';

export interface GatewayLaneOptions {
  /** What may be remembered of requests. */
  readonly maxBytes: number;
  readonly prefix: string;
  readonly upstream: string;
  readonly headerRules: HeaderRules;
  readonly partitions: Partitions | undefined;
  readonly context: HeadContext;
  /** Whether the edge's fields depend on the `Origin` of a request. */
  readonly isByOrigin: boolean;
  readonly requestId: (request: IncomingMessage) => string;
}

export interface GatewayLaneParts {
  readonly ways: KnownWays;
  readonly answers: RelayedAnswers;
  readonly events: CacheEvents;
  readonly clock: Clock;
}

/** What a request is known by: all of it that an answer may depend on, but for its condition. */
interface Likeness {
  readonly text: string;
  readonly condition: string | undefined;
}

/** What has been learned of requests that are alike. */
interface Known {
  readonly way: Way;
  /** What was asked for, behind the prefix. */
  readonly path: string;
}

/** A request under way, and since when. */
interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly startedAt: number;
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
/** The objects that one row is made of, beside its texts. */
const ROW_BYTES = 300;

/**
 * Answers a fresh hit at the front door, to requests like those that have come the long way before: from memory at once, from
 * the shared store after one round trip.
 *
 * Its one invariant: the same answer to the byte as by the gateway. It decides nothing: the way to a hit is the cache's, which
 * is asked whether it still leads there, and the answer is the one that the gateway has prepared.
 */
export class GatewayLane {
  private readonly known: LRUCache<string, Known>;
  private readonly kinds = new Map<string, FieldKind>();

  constructor(
    private readonly options: GatewayLaneOptions,
    private readonly parts: GatewayLaneParts,
  ) {
    this.known = new LRUCache<string, Known>({
      maxSize: options.maxBytes,
      sizeCalculation: ({ way, path }, text) =>
        ROW_BYTES + [text, path, way.key, way.variantKey].reduce((sum, one) => sum + textBytes(one), 0),
    });
  }

  /** Remembers the way that a request has taken to a hit. */
  learn(request: IncomingMessage, way: Way, path: string): void {
    const likeness = this.likenessOf(request);
    if (likeness) this.known.set(inOnePiece(likeness.text), { way, path });
  }

  /** Whether it has answered, or will: then nobody else does. */
  answers(request: IncomingMessage, response: ServerResponse): boolean | Promise<boolean> {
    const startedAt = performance.now();
    const { method, url = '' } = request;
    if ((method !== 'GET' && method !== 'HEAD') || !url.startsWith(this.options.prefix)) return false;
    const likeness = this.likenessOf(request);
    const known = likeness && this.known.get(likeness.text);
    if (!known) return false;
    const asked = { request, response, startedAt };
    const found = this.parts.ways.peek(known.way);
    if (found) return this.answer(asked, likeness, known, found);
    return this.parts.ways.mayLead(known.way) && mayWriteHead(request, response) && this.find(asked, likeness, known);
  }

  private async find(asked: Asked, likeness: Likeness, known: Known): Promise<boolean> {
    const found = await this.parts.ways.find(known.way);
    if (found) return this.answer(asked, likeness, known, found);
    this.known.delete(likeness.text); // so that the next one does not look here in vain
    return false;
  }

  private answer(asked: Asked, likeness: Likeness, { way, path }: Known, found: Found): boolean | Promise<boolean> {
    const ready = this.parts.answers.ready(found.entry, way.key, asked.request, path);
    return ready instanceof RelayedDelivery
      ? this.send(asked, likeness, way.key, found, ready)
      : ready.then((delivery) => this.send(asked, likeness, way.key, found, delivery));
  }

  private send(
    { request, response, startedAt }: Asked,
    { condition }: Likeness,
    key: string,
    { entry, tier }: Found,
    delivery: RelayedDelivery,
  ): boolean {
    if (!mayWriteHead(request, response) || !delivery.isWritable || !mayWriteBody(delivery)) return false;
    const { upstream, context, requestId } = this.options;
    const isKnown =
      condition !== undefined &&
      entry.status === 200 &&
      isNotModified([['if-none-match', condition]], entry.headers, entry.storedAt);
    const head = delivery.headText({ entry, tier }, this.parts.clock.now(), isKnown, context);
    const durationMs = performance.now() - startedAt;
    const id = requestId(request);
    writeReady({ request, response, id }, delivery, head, { isNotModified: isKnown, durationMs });
    const { status } = entry;
    this.parts.events.publish({ outcome: 'HIT', tier, upstream, key, status, durationMs, requestId: id });
    return true;
  }

  /** Undefined for a request that needs thought. No field has a line break, so that no two requests are alike by accident. */
  private likenessOf({ method = '', rawHeaders, url = '' }: IncomingMessage): Likeness | undefined {
    let text = `${method} ${url}`; // HEAD of a path may be another route's than GET
    let credential: string | undefined;
    let credentialField = '';
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
          [credential, credentialField] = [value, name];
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
    const field = credential === undefined ? undefined : partitions?.credentialName(credentialField);
    const caller =
      credential === undefined || field === undefined || !partitions
        ? ANONYMOUS
        : partitions.idOfField(field, credential.trim());
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
    if (name === 'origin' && this.options.isByOrigin) return 'thought';
    if (name === 'via') return 'selecting'; // how many hops there were goes upstream
    if (this.options.partitions?.credentialName(name) !== undefined) return 'credential';
    return this.options.headerRules.forwards(name, true) ? 'selecting' : 'none';
  }
}
