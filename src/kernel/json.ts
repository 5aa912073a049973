/**
 * The value of a JSON text. A byte order mark in front of it is ignored, as RFC 8259 §8.1 allows.
 *
 * @throws SyntaxError for a text that is no JSON
 */
export function parseJson(text: string | Buffer): unknown {
  const json = text.toString();
  return JSON.parse(json.startsWith('\ufeff') ? json.slice(1) : json);
}

/** The value of a JSON text; undefined for none, and for a text that is no JSON. */
export function parsedJson(text: string | Buffer | undefined): unknown {
  try {
    return text === undefined ? undefined : parseJson(text);
  } catch {
    return undefined;
  }
}
