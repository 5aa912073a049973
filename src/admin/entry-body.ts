import type { CacheEntry } from '../cache';
import { decodedWhole, identityBody } from '../cache/law';

/** The rest of a body is not shown. */
const MAX_SHOWN_BYTES = 262_144;
const IS_TEXT =
  /^(?:text\/|image\/svg|application\/(?:[\w.-]+\+)?(?:json|xml|javascript|yaml|x-ndjson|x-www-form-urlencoded)\b)/i;

/** Codings of upstreams that are removed to show the text; if a body unpacks to more, the packed bytes are shown. */
const MAX_UNPACKED_BYTES = 67_108_864;

/** A stored body without its coding: as text if it is text, else as base64. */
export interface EntryBody {
  readonly text?: string;
  readonly base64?: string;
  /** The size of the whole body. */
  readonly bytes: number;
  readonly truncated: boolean;
}

export async function readBody(entry: CacheEntry): Promise<EntryBody> {
  const stored = await identityBody(entry);
  const unpacked = await decodedWhole(stored, entry.headers, MAX_UNPACKED_BYTES);
  const body = unpacked ?? stored;
  const shown = body.subarray(0, MAX_SHOWN_BYTES);
  const size = { bytes: body.length, truncated: shown.length < body.length };
  const type = entry.headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  const isText = unpacked !== undefined && (IS_TEXT.test(type) || (type === '' && isUtf8(shown)));
  return isText ? { text: decode(shown), ...size } : { base64: shown.toString('base64'), ...size };
}

/** A character split by the limit is omitted. */
function decode(bytes: Buffer): string {
  return new TextDecoder().decode(bytes, { stream: true });
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
