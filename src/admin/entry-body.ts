import { identityBody, type CacheEntry } from '../cache';

/** More of a body is not shown. */
const MAX_SHOWN_BYTES = 262_144;
const IS_TEXT =
  /^(?:text\/|image\/svg|application\/(?:[\w.-]+\+)?(?:json|xml|javascript|yaml|x-ndjson|x-www-form-urlencoded)\b)/i;

/** A stored body without its coding: as text where it is one, else as base64. */
export interface EntryBody {
  readonly text?: string;
  readonly base64?: string;
  /** Of the whole body. */
  readonly bytes: number;
  readonly truncated: boolean;
}

export async function readBody(entry: CacheEntry): Promise<EntryBody> {
  const body = await identityBody(entry);
  const shown = body.subarray(0, MAX_SHOWN_BYTES);
  const size = { bytes: body.length, truncated: shown.length < body.length };
  const type = entry.headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  const isCoded = entry.headers.some(([name]) => name === 'content-encoding');
  const isText = !isCoded && (IS_TEXT.test(type) || (type === '' && isUtf8(shown)));
  return isText ? { text: decode(shown), ...size } : { base64: shown.toString('base64'), ...size };
}

/** A character that the limit cuts in two is left out. */
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
