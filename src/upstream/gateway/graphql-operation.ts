import { parsedJson } from '../../kernel/json';

/*
 * Whether a GraphQL request may change something (https://spec.graphql.org/October2021/#sec-Executing-Requests). Only the kinds of its
 * operations are read; what cannot be read counts as a change.
 */

interface Operation {
  readonly kind: string;
  readonly name: string;
  /** The words at its first level: fields, their aliases, and `...` of fragments. */
  readonly words: readonly string[];
}

/** Comments, strings, brackets, spreads and names: they suffice to find where a definition begins. Everything else is skipped. */
const TOKEN = /#[^\n\r]*|"""(?:\\"""|[^])*?"""|"(?:\\.|[^"\\\n\r])*"|[{}()[\]]|\.{3}|[_A-Za-z]\w*/g;
const KINDS: ReadonlySet<string> = new Set(['query', 'mutation', 'subscription', 'fragment']);

/** @param body of the request; undefined for one too large to be looked at */
export function mayMutate(body: Buffer | undefined): boolean {
  if (body === undefined) return true;
  const operations = operationsIn(body);
  return operations?.some(({ kind }) => kind === 'mutation') ?? true;
}

/** The fields that a mutation asks for at its first level, and what else is written there; undefined where they cannot be read. */
export function mutationWords(body: Buffer | undefined): readonly string[] | undefined {
  if (body === undefined) return undefined;
  return operationsIn(body)?.flatMap(({ kind, words }) => (kind === 'mutation' ? words : []));
}

/** The operations that a request may run; undefined for a request that cannot be read. */
function operationsIn(body: Buffer): readonly Operation[] | undefined {
  const request = parsedJson(body); // undefined where it is compressed, or of another media type
  const all = (Array.isArray(request) ? (request as unknown[]) : [request]).map(operationsToRun);
  return all.every((operations) => operations !== undefined) ? all.flat() : undefined;
}

function operationsToRun(request: unknown): readonly Operation[] | undefined {
  if (typeof request !== 'object' || request === null) return undefined;
  const { query, operationName } = request as { readonly query?: unknown; readonly operationName?: unknown };
  const operations = typeof query === 'string' ? operationsOf(query) : undefined; // undefined for one named by its hash
  const named = operations?.filter(({ name }) => name === operationName) ?? [];
  return named.length > 0 ? named : operations;
}

/** Undefined for a document that is none. */
function operationsOf(document: string): readonly Operation[] | undefined {
  const operations: { kind: string; name: string; words: string[] }[] = [];
  let depth = 0;
  let isBetween = true; // definitions
  let isInFields = false; // not in variables or arguments of directives
  for (const [token] of document.matchAll(TOKEN)) {
    if (token.startsWith('#') || token.startsWith('"')) continue;
    if ('{(['.includes(token)) {
      if (isBetween && token === '{') operations.push({ kind: 'query', name: '', words: [] });
      else if (isBetween) return undefined;
      isBetween = false;
      if (depth === 0) isInFields = token === '{';
      depth += 1;
    } else if ('})]'.includes(token)) {
      depth -= 1;
      if (depth < 0) return undefined;
      if (depth === 0 && token === '}') isBetween = true;
    } else if (depth === 0 && isBetween) {
      if (!KINDS.has(token)) return undefined;
      operations.push({ kind: token, name: '', words: [] });
      isBetween = false;
    } else if (depth === 0) {
      const last = operations.at(-1);
      if (last?.name === '') last.name = token;
    } else if (depth === 1 && isInFields) operations.at(-1)?.words.push(token);
  }
  return depth === 0 && isBetween && operations.length > 0 ? operations : undefined;
}
