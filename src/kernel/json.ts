/** The value of a JSON text; undefined for none, and for a text that is no JSON. */
export function parsedJson(text: string | Buffer | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}
