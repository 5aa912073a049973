import { dump } from 'js-yaml';

/*
 * As much of Helm's templates as our chart uses: `if`, `if not`, `with` and `range` on lines of their own, values, `quote`, and `toYaml | nindent`.
 * Anything else is an error, so that a template that this does not understand fails its test instead of passing unseen. Helm itself is in no
 * registry that the tests can reach.
 */

interface Scope {
  readonly root: Readonly<Record<string, unknown>>;
  readonly dot: unknown;
  readonly names: Readonly<Record<string, unknown>>;
}

const BLOCK = /^\s*\{\{-\s*(if not|if|with|range|end)\b\s*(.*?)\s*\}\}\s*$/;
const TO_YAML = /^\s*\{\{-\s*toYaml\s+(\S+)\s*\|\s*nindent\s+(\d+)\s*\}\}\s*$/;

/** @param root `Values`, `Release` */
export function renderTemplate(template: string, root: Readonly<Record<string, unknown>>): string {
  const lines = template.split('\n');
  const [rendered, end] = renderLines(lines, 0, { root, dot: root, names: {} });
  if (end < lines.length) throw new Error(`"end" without a beginning in line ${end + 1}`);
  return rendered.join('\n');
}

/** Up to the `end` of the block, or to the end of the text. */
function renderLines(lines: readonly string[], from: number, scope: Scope): [string[], number] {
  const rendered: string[] = [];
  let at = from;
  for (; at < lines.length; at++) {
    const line = lines[at]!;
    const [, word, rest = ''] = BLOCK.exec(line) ?? [];
    if (word === 'end') break;
    if (word === undefined) rendered.push(renderLine(line, scope));
    else {
      const [first, end] = renderLines(lines, at + 1, scopesOf(word, rest, scope)[0] ?? { ...scope, dot: undefined });
      if (end >= lines.length) throw new Error(`"${word}" in line ${at + 1} has no end`);
      const scopes = scopesOf(word, rest, scope);
      rendered.push(...scopes.flatMap((one, index) => (index === 0 ? first : renderLines(lines, at + 1, one)[0])));
      at = end;
    }
  }
  return [rendered, at];
}

/** The scopes in which a block is rendered, one after another. */
function scopesOf(word: string, rest: string, scope: Scope): readonly Scope[] {
  if (word === 'range') {
    const [, key = '', value = '', path = ''] = /^\$(\w+), \$(\w+) := (\S+)$/.exec(rest) ?? [];
    const entries = Object.entries(valueOf(path, scope) as object).sort(([one], [other]) => (one < other ? -1 : 1));
    return entries.map(([name, one]) => ({
      ...scope,
      names: { ...scope.names, [key]: name, [value]: one as unknown },
    }));
  }
  const value = valueOf(rest, scope);
  if (word === 'with') return isTrue(value) ? [{ ...scope, dot: value }] : [];
  return isTrue(value) === (word === 'if') ? [scope] : [];
}

function renderLine(line: string, scope: Scope): string {
  const [, path, indent] = TO_YAML.exec(line) ?? [];
  if (path !== undefined) {
    const text = dump(valueOf(path, scope)).trimEnd();
    return text.replace(/^/gm, ' '.repeat(Number(indent)));
  }
  return line.replace(/\{\{(.*?)\}\}/g, (_action, expression: string) => {
    const [, name = '', quote] = /^ (\S+)( \| quote)? $/.exec(expression) ?? [];
    const value = valueOf(name, scope);
    if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`${name} is no text, in: ${line}`);
    return quote === undefined ? String(value) : JSON.stringify(String(value));
  });
}

function valueOf(path: string, { root, dot, names }: Scope): unknown {
  if (path === '.') return dot;
  const [, name] = /^\$(\w+)$/.exec(path) ?? [];
  if (name !== undefined) return names[name];
  if (!/^(?:\.\w+)+$/.test(path)) throw new Error(`"${path}" is not understood`);
  const value = path
    .slice(1)
    .split('.')
    .reduce<unknown>((found, part) => (found as Record<string, unknown> | undefined)?.[part], root);
  if (value === undefined) throw new Error(`${path} is no value of the chart`);
  return value;
}

function isTrue(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
