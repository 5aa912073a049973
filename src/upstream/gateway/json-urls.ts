/** A URL at the beginning of strings, without a slash at its end, and what it becomes. */
export type UrlReplacement = readonly [from: string, to: string];

export interface JsonUrlRules {
  readonly urls: readonly UrlReplacement[];
  /** Members whose values are URLs. */
  readonly isUrl: (member: string) => boolean;
  /** Members for the beginning of the object, such as `"version":"1"`; undefined for none. */
  readonly added?: string | undefined;
}

/** How far before a value its member's name is looked for, in bytes. */
const MAX_NAME_BYTES = 128;
const [QUOTE, COLON, SLASH, BACKSLASH, OPEN, CLOSE] = [0x22, 0x3a, 0x2f, 0x5c, 0x7b, 0x7d];
/** What may follow the base of a URL: the end of the string, a path (its slash may be escaped), a template, a query or a fragment. */
const ENDS_BASE: ReadonlySet<number> = new Set(Buffer.from('"/{?#'));
const MAX_END_BYTES = 2;

/**
 * Replaces the base of URLs in JSON text, chunk by chunk.
 *
 * Its one invariant: every byte outside of a value that begins with the base, of a member that has URLs, stays as it is, and the result
 * does not depend on how the text is cut. It does not parse: a quote without a backslash before it, between a colon and the base, begins a
 * value, because inside of a string every quote has a backslash (RFC 8259 §7). Of the ways to write a base it knows the plain one, and the one with
 * `\/` for each slash, as PHP and Foundation write it.
 */
export class JsonUrlRewriter {
  private readonly patterns: readonly { readonly from: Buffer; readonly to: Buffer }[];
  private readonly maxPattern: number;
  private held: Buffer = Buffer.alloc(0);
  /** How much of `held` has been sent, and is there for the names before values alone. */
  private sent = 0;
  private isAdded: boolean;

  constructor(private readonly rules: JsonUrlRules) {
    this.patterns = rules.urls.flatMap(([from, to]) => {
      const replacement = Buffer.from(`"${JSON.stringify(to).slice(1, -1)}`);
      const ways = [from, from.replaceAll('/', String.raw`\/`)];
      return ways.map((way) => ({ from: Buffer.from(`"${way}`), to: replacement }));
    });
    this.maxPattern = Math.max(1, ...this.patterns.map(({ from }) => from.length));
    this.isAdded = rules.added === undefined;
  }

  push(chunk: Buffer): Buffer[] {
    const text = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    if (!this.isAdded && text.length < 2) {
      this.held = text;
      return [];
    }
    const pieces = this.beginning(text);
    const end = this.rewrite(text, this.undecidedIn(text), pieces);
    const from = Math.max(0, end - MAX_NAME_BYTES);
    this.held = text.subarray(from);
    this.sent = end - from;
    return pieces;
  }

  /** The rest of the text. */
  end(): Buffer[] {
    const pieces: Buffer[] = [];
    const text = this.held;
    this.rewrite(text, text.length, pieces);
    return pieces;
  }

  /** Where a value begins that may not be there as a whole, with what follows its base; everything before it can be sent. */
  private undecidedIn(text: Buffer): number {
    const least = Math.max(this.sent, text.length - this.maxPattern - MAX_END_BYTES);
    for (let at = text.indexOf(QUOTE, least); at >= 0; at = text.indexOf(QUOTE, at + 1)) {
      const rest = text.subarray(at);
      if (this.patterns.some(({ from }) => mayBegin(from, rest))) return at;
    }
    return text.length;
  }

  private beginning(text: Buffer): Buffer[] {
    if (this.isAdded) return [];
    this.isAdded = true;
    const isEmpty = text[1] === CLOSE;
    if (text[0] !== OPEN || (!isEmpty && text[1] !== QUOTE)) return [];
    this.sent = 1;
    return [text.subarray(0, 1), Buffer.from(`${this.rules.added ?? ''}${isEmpty ? '' : ','}`)];
  }

  /** Everything before `limit`, and a value that begins there. Returns where it ended. */
  private rewrite(text: Buffer, limit: number, pieces: Buffer[]): number {
    let from = this.sent;
    const keep = (to: number): void => {
      if (to > from) pieces.push(text.subarray(from, to));
      from = Math.max(from, to);
    };
    const places = this.patterns.map((pattern) => ({ pattern, at: text.indexOf(pattern.from, from) }));
    for (let place = first(places, limit); place; place = first(places, limit)) {
      const { at, pattern } = place;
      const end = at + pattern.from.length;
      if (endsBase(text, end) && this.isUrlAt(text, at)) {
        keep(at);
        pieces.push(pattern.to);
        from = end;
      }
      place.at = at + 1;
      for (const one of places)
        if (one === place || (one.at >= 0 && one.at < from))
          one.at = text.indexOf(one.pattern.from, Math.max(from, place.at));
    }
    keep(limit);
    return from;
  }

  /** Whether the quote begins the value of a member that has URLs. */
  private isUrlAt(text: Buffer, quote: number): boolean {
    const least = Math.max(0, quote - MAX_NAME_BYTES);
    const colon = skipBlanks(text, quote - 1, least);
    if (colon < least || text[colon] !== COLON) return false;
    const end = skipBlanks(text, colon - 1, least);
    if (end < least || text[end] !== QUOTE) return false;
    let start = end - 1;
    while (start >= least && text[start] !== QUOTE && text[start] !== BACKSLASH) start -= 1;
    if (start <= least || text[start] !== QUOTE || text[start - 1] === BACKSLASH) return false;
    return this.rules.isUrl(text.toString('utf8', start + 1, end));
  }
}

interface Place {
  readonly pattern: { readonly from: Buffer };
  /** Negative for none. */
  at: number;
}

/** The first place before the limit; of two bases that begin alike the longer one. */
function first<P extends Place>(places: readonly P[], limit: number): P | undefined {
  let found: P | undefined;
  for (const place of places) {
    if (place.at < 0 || place.at >= limit) continue;
    const isLonger = found?.at === place.at && place.pattern.from.length > found.pattern.from.length;
    if (found === undefined || place.at < found.at || isLonger) found = place;
  }
  return found;
}

function mayBegin(base: Buffer, rest: Buffer): boolean {
  if (rest.length < base.length) return base.indexOf(rest) === 0;
  return rest.length < base.length + MAX_END_BYTES && rest.indexOf(base) === 0;
}

function endsBase(text: Buffer, at: number): boolean {
  return ENDS_BASE.has(text[at] ?? 0) || (text[at] === BACKSLASH && text[at + 1] === SLASH);
}

function skipBlanks(text: Buffer, at: number, first: number): number {
  while (at >= first && (text[at] === 0x20 || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09)) at -= 1;
  return at;
}
