/** A JSON value as a tree: what is shown of each node, and its children when they are wanted. */
export interface JsonNode {
  /** Where it is in the document; unique. */
  readonly path: string;
  readonly name: string;
  readonly value: unknown;
  readonly kind: 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null' | 'range';
}

/** More children than that are shown in groups, so that a list of 10,000 opens at once. */
const GROUP = 100;
const known = new WeakMap<JsonNode, JsonNode[]>();

export function nodeOf(name: string, value: unknown, path: string): JsonNode {
  return { name, value, path, kind: kindOf(value) };
}

/** The same nodes each time; undefined for what has none. */
export function childrenOf(node: JsonNode): JsonNode[] | undefined {
  if (node.kind !== 'object' && node.kind !== 'array' && node.kind !== 'range') return undefined;
  const before = known.get(node);
  if (before) return before;
  const made = node.kind === 'range' ? membersOf(node) : grouped(membersOf(node), node.path);
  if (made.length === 0) return undefined;
  known.set(node, made);
  return made;
}

/** What stands beside the name: the value of a leaf, the size of what can be opened. */
export function summaryOf({ kind, value }: JsonNode): string {
  if (kind === 'array') return sized((value as unknown[]).length, 'item');
  if (kind === 'object') return sized(Object.keys(value as object).length, 'member');
  return kind === 'range' ? '' : JSON.stringify(value);
}

function membersOf({ value, path, kind }: JsonNode): JsonNode[] {
  if (kind === 'range') return value as JsonNode[];
  if (Array.isArray(value)) return value.map((item, at) => nodeOf(String(at), item, `${path}/${at}`));
  return Object.entries(value as object).map(([name, item]) => nodeOf(name, item, `${path}/${escaped(name)}`));
}

function grouped(nodes: JsonNode[], path: string): JsonNode[] {
  if (nodes.length <= GROUP) return nodes;
  return Array.from({ length: Math.ceil(nodes.length / GROUP) }, (_, at): JsonNode => {
    const members = nodes.slice(at * GROUP, (at + 1) * GROUP);
    const name = `${members[0]?.name ?? ''} … ${members.at(-1)?.name ?? ''}`;
    return { name, value: members, path: `${path}//${at}`, kind: 'range' };
  });
}

function kindOf(value: unknown): JsonNode['kind'] {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  return type === 'object' || type === 'string' || type === 'number' || type === 'boolean' ? type : 'null';
}

function sized(size: number, of: string): string {
  return `${size} ${of}${size === 1 ? '' : 's'}`;
}

/** As in a JSON Pointer (RFC 6901 §3). */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
