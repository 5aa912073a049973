/*
 * The part of GraphQL that clients of GitHub write: operations with variables, fields with aliases and arguments, fragments. No directives, and
 * no default values of variables.
 */

export interface Field {
  /** What the response calls it. */
  readonly alias: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly fields: readonly Field[];
  /** The type of object that has the field; undefined for any. */
  readonly on?: string;
}

export interface Operation {
  readonly kind: string;
  readonly name: string;
  readonly fields: readonly Field[];
}

const TOKEN = /#[^\n]*|"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|\.\.\.|[{}()[\]:$!=]/g;

/** @throws Error with a message like GitHub's for what it cannot read */
export function parseDocument(text: string, variables: Readonly<Record<string, unknown>>): readonly Operation[] {
  const tokens = [...text.matchAll(TOKEN)].map(([token]) => token).filter((token) => !token.startsWith('#'));
  let at = 0;
  const peek = (): string | undefined => tokens[at];
  const next = (): string => {
    const token = tokens[at++];
    if (token === undefined) throw new Error('Parse error: unexpected end of document');
    return token;
  };
  const expect = (wanted: string): void => {
    const token = next();
    if (token !== wanted) throw new Error(`Parse error on "${token}": expected "${wanted}"`);
  };
  const takes = (token: string): boolean => {
    if (peek() !== token) return false;
    at += 1;
    return true;
  };

  const value = (): unknown => {
    const token = next();
    if (token === '$') return variables[next()];
    if (token === '{') return members('}');
    if (token === '[') {
      const items: unknown[] = [];
      while (!takes(']')) items.push(value());
      return items;
    }
    if (token.startsWith('"')) return JSON.parse(token);
    if (/^-?\d/.test(token)) return Number(token);
    return token === 'true' ? true : token === 'false' ? false : token === 'null' ? null : token; // an enumerated word
  };
  const members = (end: string): Record<string, unknown> => {
    const found: Record<string, unknown> = {};
    while (!takes(end)) {
      const name = next();
      expect(':');
      found[name] = value();
    }
    return found;
  };
  const spread = (): readonly Field[] => {
    if (peek() === '{') return selection();
    if (takes('on')) {
      const on = next();
      return selection().map((field) => ({ on, ...field }));
    }
    const name = next();
    const from = fragments.get(name);
    if (from === undefined) throw new Error(`Fragment ${name} was used, but not defined`);
    const back = at;
    at = from;
    const fields = selection();
    at = back;
    return fields;
  };
  const selection = (): readonly Field[] => {
    const fields: Field[] = [];
    expect('{');
    while (!takes('}')) {
      if (takes('...')) {
        fields.push(...spread());
        continue;
      }
      const alias = next();
      const name = takes(':') ? next() : alias;
      const args = takes('(') ? members(')') : {};
      fields.push({ alias, name, args, fields: peek() === '{' ? selection() : [] });
    }
    return fields;
  };
  const operation = (): Operation => {
    if (peek() === '{') return { kind: 'query', name: '', fields: selection() };
    const kind = next();
    const name = /^\w/.test(peek() ?? '') ? next() : '';
    if (takes('(')) while (next() !== ')'); // the types of variables
    return { kind, name, fields: selection() };
  };

  // Where the selection of each fragment begins: `fragment NAME on TYPE {`.
  const fragments = new Map<string, number>();
  tokens.forEach((token, place) => {
    if (token === 'fragment' && tokens[place + 2] === 'on') fragments.set(tokens[place + 1] ?? '', place + 4);
  });
  const operations: Operation[] = [];
  while (at < tokens.length) {
    if (!takes('fragment')) {
      operations.push(operation());
      continue;
    }
    at += 3;
    selection();
  }
  return operations;
}
