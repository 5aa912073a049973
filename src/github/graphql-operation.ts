/*
 * Whether a GraphQL request may change something (https://spec.graphql.org/October2021/#sec-Executing-Requests). Only the kinds of its
 * operations are read; what cannot be read counts as a change.
 */

interface Operation {
  readonly kind: string;
  readonly name: string;
}

/** Comments, strings, brackets and names: all that tells where a definition begins. Everything else is skipped. */
const TOKEN = /#[^\n\r]*|"""(?:\\"""|[^])*?"""|"(?:\\.|[^"\\\n\r])*"|[{}()[\]]|[_A-Za-z]\w*/g;
const KINDS: ReadonlySet<string> = new Set(['query', 'mutation', 'subscription', 'fragment']);

/** @param body of the request; undefined for one too large to be looked at */
export function mayMutate(body: Buffer | undefined): boolean {
  if (body === undefined) return true;
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch {
    return true; // compressed, or another media type
  }
  const requests: readonly unknown[] = Array.isArray(request) ? request : [request];
  return requests.some(mutates);
}

function mutates(request: unknown): boolean {
  if (typeof request !== 'object' || request === null) return true;
  const { query, operationName } = request as { readonly query?: unknown; readonly operationName?: unknown };
  const operations = typeof query === 'string' ? operationsOf(query) : undefined;
  if (operations === undefined) return true; // such as a stored query, named by its hash
  const named = operations.filter(({ name }) => name === operationName);
  return (named.length > 0 ? named : operations).some(({ kind }) => kind === 'mutation');
}

/** Undefined for a document that is none. */
function operationsOf(document: string): readonly Operation[] | undefined {
  const operations: { kind: string; name: string }[] = [];
  let depth = 0;
  let isBetween = true; // definitions
  for (const [token] of document.matchAll(TOKEN)) {
    if (token.startsWith('#') || token.startsWith('"')) continue;
    if ('{(['.includes(token)) {
      if (isBetween && token === '{') operations.push({ kind: 'query', name: '' });
      else if (isBetween) return undefined;
      isBetween = false;
      depth += 1;
    } else if ('})]'.includes(token)) {
      depth -= 1;
      if (depth < 0) return undefined;
      if (depth === 0 && token === '}') isBetween = true;
    } else if (depth === 0 && isBetween) {
      if (!KINDS.has(token)) return undefined;
      operations.push({ kind: token, name: '' });
      isBetween = false;
    } else if (depth === 0) {
      const last = operations.at(-1);
      if (last?.name === '') last.name = token;
    }
  }
  return depth === 0 && isBetween && operations.length > 0 ? operations : undefined;
}
