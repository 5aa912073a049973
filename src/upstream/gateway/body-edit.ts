import { createHash } from 'node:crypto';
import type { HeaderList, StreamedAnswer } from '../../cache';
import { decodedBody, isKnownCoding, valueOf } from '../../cache/law';
import { JsonUrlRewriter, type JsonUrlRules } from './json-urls';

/** Changes with the way in which bodies are edited: a client's tag is of one way. */
const EDITION = '2';
const TAG_LENGTH = 8;
/** Not a vendor's `raw+json` or `html+json`: the bytes of a file, which may be a lock file with the API's URLs and a checksum. */
const JSON_TYPE = /^(?:application|text)\/(?!(?:[\w.-]+\.)?(?:raw|html)\+)(?:[\w.-]+\+)?json\s*(?:;|$)/i;
/** RFC 8259 §8.1: JSON is UTF-8. */
const OTHER_CHARSET = /;\s*charset=(?!"?utf-?8"?\s*(?:;|$))/i;
/** Fields that are about the bytes as the upstream sent them. */
const OF_THE_BYTES: ReadonlySet<string> = new Set([
  ...['content-encoding', 'content-length', 'content-md5', 'content-digest', 'digest', 'repr-digest'],
]);
const NOT_SENT_WITH_READS: ReadonlySet<string> = new Set(['range', 'if-range', 'if-modified-since']);
const NO_CONTENT: ReadonlySet<number> = new Set([204, 206, 304]);
const TAG = /(W\/)?"([^"]*)"/g;

/**
 * The upstream's JSON for clients that know the API by another address.
 *
 * Its one invariant: a client's entity tag belongs to one edit of the upstream's body. Every tag that goes to a client has a suffix made of
 * the edit's rules; a tag of the client goes upstream without it, and one with another suffix, or none, never as a match; nor does a date. The suffix is
 * added to whatever kind of tag the upstream sends, because the same bytes always become the same bytes.
 */
export class BodyEdit {
  readonly suffix: string;

  constructor(private readonly rules: JsonUrlRules) {
    const text = JSON.stringify([EDITION, rules.urls, rules.added]);
    this.suffix = `-${createHash('sha256').update(text).digest('base64url').slice(0, TAG_LENGTH)}`;
  }

  /** The client's fields as they go upstream: a part of the upstream's bytes is no part of the edited ones. */
  forUpstream(headers: HeaderList, isRead: boolean): HeaderList {
    const sent: (readonly [string, string])[] = [];
    for (const field of headers) {
      const [name, value] = field;
      if (name === 'if-match') sent.push([name, this.withoutSuffix(value, false) || value]);
      else if (name === 'if-none-match') {
        const tags = this.withoutSuffix(value, isRead);
        if (tags !== '') sent.push([name, tags]);
      } else if (!isRead || !NOT_SENT_WITH_READS.has(name)) sent.push(field);
    }
    return sent;
  }

  /** The fields of a response as its client gets them. */
  fields(status: number, headers: HeaderList): HeaderList {
    const edits = this.edits(status, headers) || (status === 304 && isJson(headers));
    return headers.flatMap(([name, value]): HeaderList => {
      if (name === 'etag') return [[name, this.withSuffix(value)]];
      return edits && OF_THE_BYTES.has(name) ? [] : [[name, value]];
    });
  }

  /** Whether the body of a response is edited. */
  edits(status: number, headers: HeaderList): boolean {
    return !NO_CONTENT.has(status) && isJson(headers) && isKnownCoding(headers);
  }

  /** @param body without the store's coding, but with the upstream's */
  whole(body: Buffer, headers: HeaderList): Buffer | Promise<Buffer> {
    if (valueOf(headers, 'content-encoding') !== undefined) return collected(this.stream(body, headers));
    const rewriter = new JsonUrlRewriter(this.rules);
    return Buffer.concat([...rewriter.push(body), ...rewriter.end()]);
  }

  /** A response on its way, with at most a chunk of it in memory. */
  streamed(answer: StreamedAnswer, isHead: boolean): StreamedAnswer {
    const { status, headers, body } = answer;
    const edited = { ...answer, headers: this.fields(status, headers) };
    if (isHead || !this.edits(status, headers)) return edited;
    const isPlain = valueOf(headers, 'content-encoding') === undefined;
    return {
      ...edited,
      body: Buffer.isBuffer(body) && isPlain ? (this.whole(body, headers) as Buffer) : this.stream(body, headers),
    };
  }

  private stream(body: StreamedAnswer['body'], headers: HeaderList): AsyncIterable<Buffer> {
    return rewritten(decodedBody(body, headers), new JsonUrlRewriter(this.rules));
  }

  private withSuffix(etag: string): string {
    return /^(?:W\/)?".*"$/.test(etag) ? `${etag.slice(0, -1)}${this.suffix}"` : etag;
  }

  /** @param isRead whether tags without the suffix are left out: the client has other bytes */
  private withoutSuffix(tags: string, isRead: boolean): string {
    if (tags.trim() === '*') return tags;
    const known: string[] = [];
    for (const [whole, weak = '', opaque = ''] of tags.matchAll(TAG)) {
      if (opaque.endsWith(this.suffix)) known.push(`${weak}"${opaque.slice(0, -this.suffix.length)}"`);
      else if (!isRead) known.push(whole);
    }
    return known.join(', ');
  }
}

/** RFC 9111 §5.2.2.6: a response that must not be transformed stays unchanged. */
function isJson(headers: HeaderList): boolean {
  const isFixed = /\bno-transform\b/i.test(valueOf(headers, 'cache-control') ?? '');
  const type = valueOf(headers, 'content-type')?.trim() ?? '';
  return !isFixed && JSON_TYPE.test(type) && !OTHER_CHARSET.test(type);
}

/**
 * A client's conditions as far as they are of one edit. A date is of the upstream's bytes (RFC 9110 §8.8.2), and the same before and after the
 * rules of the edit have changed.
 */
export function withoutDates(asked: HeaderList): HeaderList {
  const range = valueOf(asked, 'if-range')?.trim();
  const isDated = range !== undefined && !/^(?:W\/)?"/.test(range);
  return asked.filter(([name]) => name !== 'if-modified-since' && !(isDated && name === 'range'));
}

/** No generator: `return` ends the source also while a chunk of it is waited for. */
function rewritten(source: AsyncIterable<Buffer>, rewriter: JsonUrlRewriter): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = source[Symbol.asyncIterator]();
      let ready: Buffer[] = [];
      let hasEnded = false;
      return {
        next: async () => {
          while (ready.length === 0 && !hasEnded) {
            const step = await iterator.next();
            hasEnded = step.done === true;
            ready = step.done === true ? rewriter.end() : rewriter.push(step.value);
          }
          const value = ready.shift();
          return value === undefined ? { done: true, value } : { done: false, value };
        },
        return: async () => {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function collected(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
