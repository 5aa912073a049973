/** A stored body as the admin API sends it: as text, or as base64 where it is none, such as the gzip form that the cache keeps. */
export interface StoredBody {
  readonly text?: string;
  readonly base64?: string;
  readonly bytes: number;
  readonly truncated: boolean;
}

/** Its text; undefined if it has none: an image, or a part of a gzip stream. */
export async function textOfBody({ text, base64, truncated }: StoredBody): Promise<string | undefined> {
  if (text !== undefined) return text;
  if (base64 === undefined || truncated) return undefined;
  const content = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const isGzip = content[0] === 0x1f && content[1] === 0x8b; // RFC 1952 §2.3.1
  if (!isGzip) return undefined;
  try {
    const unpacked = await new Response(
      new Blob([content]).stream().pipeThrough(new DecompressionStream('gzip')),
    ).arrayBuffer();
    return new TextDecoder('utf-8', { fatal: true }).decode(unpacked);
  } catch {
    return undefined; // broken, or not text
  }
}
