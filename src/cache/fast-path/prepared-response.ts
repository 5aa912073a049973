import type { CacheEntry, HeaderList } from '../model/cache-entry';
import type { CacheOutcome, CacheTier } from '../model/cache-outcome';
import { nextSecondOf } from '../law/freshness';
import type { ResponseForm } from '../law/response-form';
import { packFields, textBytes, unpackFields, type PackedFields } from '../store/memory/packed-fields';
import { bufferBytes, hasText, inOnePiece, MAX_TEXT_BYTES, textIn } from '../store/memory/resident-entry';
import { NEVER_RENDERED, NO_FRONTS, renderedHeads, type RenderedHead } from './rendered-heads';
import { areWritable, linesOf, statusLine, tailOf, type FlatFields, type SerializedHead } from './serialized-head';

/** The object itself, and its place with the entry. */
const OBJECT_BYTES = 200;
/** Statuses without content or a length (RFC 9110 §8.6). */
const NO_CONTENT = 204;

/** The part of every head that does not depend on the entry. */
export interface HeadContext {
  /** Fields that the edge adds to every response. */
  readonly edge: FlatFields;
  /** `keepAliveTimeout` in milliseconds is announced; 0 announces nothing. */
  readonly server: { readonly keepAliveTimeout: number; readonly maxRequestsPerSocket: number | null };
  /** Rate limits that the head shows; `revision` changes with them. */
  readonly limits?: { readonly revision: number };
}

/** A stored response and the request's outcome, as far as its head shows it. */
export interface Served {
  readonly entry: CacheEntry;
  readonly outcome: CacheOutcome;
  readonly tier: CacheTier;
}

/** How one entry point presents stored responses: the same for all of them. */
export interface Presentation<Answer extends Served = Served> {
  /** `Age`, `Cache-Status`, `X-Cache`; of a response with rate limits those of the path. */
  readonly cacheFields: (answer: Answer, key: string, now: number, path: string) => FlatFields;
  /** The fields that the edge adds to the stored ones. */
  readonly edgeFields: (edge: FlatFields, stored: HeaderList) => FlatFields;
  /** The stored fields that a 304 repeats (RFC 9110 §15.4.5). */
  readonly notModifiedFields: (stored: HeaderList) => HeaderList;
}

export interface PreparedParts<Answer extends Served> {
  readonly presentation: Presentation<Answer>;
  /** As in `Cache-Status`. */
  readonly key: string;
  /** What was asked for, where the presentation depends on it. */
  readonly path?: string;
  /** The stored fields as sent, without `Content-Length`. */
  readonly stored: HeaderList;
  /** The entity tag that follows the cache's fields, if the stored ones have none. */
  readonly etag?: string;
  /** The base URL for which the stored fields were rewritten, if they contain the server's name from the request. */
  readonly base?: string | undefined;
}

/** An entry ready to be sent in one content coding: the parts that are equal in every response are made once. */
export class PreparedResponse<Answer extends Served = Served> {
  readonly bodyBytes: number;
  readonly storedAt: number;
  readonly etag: string | undefined;
  readonly base: string | undefined;
  /** The body's bytes as latin1 text: node sends head and text in one write, head and bytes in two. For small bodies only. */
  readonly text: string | undefined;
  readonly status: number;
  private readonly key: string;
  private readonly path: string;
  private readonly shape: PackedFields['shape'];
  private readonly own: PackedFields['own'];
  private readonly ownFieldBytes: number;
  private readonly presentation: Presentation<Answer>;
  /** For a body too large for a text. */
  private readonly bytes: Buffer | undefined;
  private isWritableAsIs: boolean | undefined;
  private renderedAs = NEVER_RENDERED;

  constructor(entry: CacheEntry, body: Buffer, parts: PreparedParts<Answer>) {
    this.status = entry.status;
    this.storedAt = entry.storedAt;
    this.key = parts.key;
    this.path = parts.path ?? '';
    this.presentation = parts.presentation;
    const [{ shape, own }, ownFieldBytes] = packFields(parts.stored);
    [this.shape, this.own, this.ownFieldBytes] = [shape, own, ownFieldBytes];
    this.etag = parts.etag;
    this.base = parts.base;
    this.bodyBytes = body.length;
    this.text = body.length <= MAX_TEXT_BYTES ? textIn(entry, body.toString('latin1')) : undefined;
    this.bytes = this.text === undefined ? body : undefined;
  }

  /** The stored fields as sent; unpacked once a second where the response is sent often. */
  get stored(): HeaderList {
    return renderedHeads.find(this.renderedAs)?.stored ?? unpackFields(this.shape, this.own);
  }

  /** The fields that conditions are compared with. */
  get headers(): HeaderList {
    return this.etag === undefined ? this.stored : [...this.stored, ['etag', this.etag]];
  }

  get body(): Buffer {
    return this.bytes ?? Buffer.from(this.text ?? '', 'latin1');
  }

  /** Its memory in addition to the entry's, in bytes; for an entry that is not kept, all of it. */
  extraBytes(entry: CacheEntry | undefined): number {
    const { bytes, text, ownFieldBytes } = this;
    const ofBytes = bytes === undefined || bytes === entry?.body ? 0 : bufferBytes(bytes.length);
    const ofText = text === undefined || (entry && hasText(entry, text)) ? 0 : textBytes(text);
    return OBJECT_BYTES + ownFieldBytes + ofBytes + ofText;
  }

  /** Whether the fields can be serialized here; node refuses the others. */
  get isWritable(): boolean {
    this.isWritableAsIs ??= areWritable(this.stored.flat());
    return this.isWritableAsIs;
  }

  statusOf({ kind }: ResponseForm): number {
    if (kind === 'whole') return this.status;
    return kind === 'part' ? 206 : kind === 'not-modified' ? 304 : 416;
  }

  /** The fields in their order, without the request's own and those of `lengthFields`. */
  fields({ kind }: ResponseForm, answer: Answer, now: number, edge: FlatFields): FlatFields {
    const stored = this.storedFields(kind);
    const { cacheFields, edgeFields } = this.presentation;
    const etag = this.etag === undefined ? [] : ['etag', this.etag];
    return [...stored.flat(), ...cacheFields(answer, this.key, now, this.path), ...etag, ...edgeFields(edge, stored)];
  }

  /** The fields for the range and the length of the body. */
  lengthFields(form: ResponseForm): FlatFields {
    switch (form.kind) {
      case 'not-modified':
        return [];
      case 'unsatisfiable':
        return ['content-range', `bytes */${this.bodyBytes}`, 'content-length', '0'];
      case 'part': {
        const range = `bytes ${form.first}-${form.last}/${this.bodyBytes}`;
        return ['content-range', range, 'content-length', String(form.last + 1 - form.first)];
      }
      case 'whole':
        return this.status === NO_CONTENT ? [] : ['content-length', String(this.bodyBytes)];
    }
  }

  /**
   * The head that node would write. For a plain hit it is rendered again when a second has passed, the server announces another time,
   * or a rate limit has changed; or when many other responses were sent since.
   */
  serializedHead(form: ResponseForm, answer: Answer, now: number, context: HeadContext): SerializedHead {
    const { kind } = form;
    if (answer.outcome !== 'HIT' || kind === 'unsatisfiable') {
      const tail = tailOf(Date.now(), context.server.keepAliveTimeout, hasDate(this.stored));
      return { beforeRequestId: this.front(form, answer, now, context), afterTimings: this.tailFor(form, tail) };
    }
    const rendered = this.rendered(answer, now, context);
    const beforeRequestId = (rendered.fronts[kind] ??= this.front(form, answer, now, context));
    const afterTimings =
      kind === 'whole'
        ? (rendered.tailOfWhole ??= this.tailFor(form, rendered.tail))
        : this.tailFor(form, rendered.tail);
    return { beforeRequestId, afterTimings };
  }

  /** The texts that hits have in common now. */
  private rendered({ entry, tier }: Answer, now: number, { server, limits }: HeadContext): RenderedHead {
    const { storedAt, freshUntil } = entry;
    const { keepAliveTimeout: keepAliveMs } = server;
    const revision = limits === undefined ? 0 : limits.revision;
    const known = renderedHeads.find(this.renderedAs);
    if (known && now < known.validUntil && revision === known.revision && tier === known.tier) {
      const isOfEntry = storedAt === known.storedAt && freshUntil === known.freshUntil;
      if (isOfEntry && keepAliveMs === known.keepAliveMs) return known;
    }
    const rendered = known ?? renderedHeads.claim();
    this.renderedAs = rendered.number;
    if (!known) rendered.stored = unpackFields(this.shape, this.own);
    const wallMs = Date.now();
    const validUntil = Math.min(nextSecondOf(entry, now), now + 1_000 - (wallMs % 1_000));
    Object.assign(rendered, { storedAt, freshUntil, validUntil, tier, keepAliveMs, revision });
    rendered.tail = inOnePiece(tailOf(wallMs, keepAliveMs, hasDate(this.stored)));
    rendered.fronts = { ...NO_FRONTS };
    rendered.tailOfWhole = undefined;
    return rendered;
  }

  private front(form: ResponseForm, answer: Answer, now: number, { edge }: HeadContext): string {
    const fields = linesOf(this.fields(form, answer, now, edge));
    return inOnePiece(`${statusLine(this.statusOf(form))}${fields}x-request-id: `);
  }

  private tailFor(form: ResponseForm, tail: string): string {
    const length = this.lengthFields(form);
    return length.length === 0 ? tail : inOnePiece(`\r\n${linesOf(length).slice(0, -2)}${tail}`);
  }

  /** RFC 9110 §15.5.17: a 416 describes the range, and not the representation. */
  storedFields(kind: ResponseForm['kind']): HeaderList {
    if (kind === 'not-modified') return this.presentation.notModifiedFields(this.stored);
    return kind === 'unsatisfiable' ? this.stored.filter(([name]) => name === 'via') : this.stored;
  }
}

function hasDate(fields: HeaderList): boolean {
  return fields.some(([name]) => name === 'date');
}
