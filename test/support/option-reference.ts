import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { repositoryRoot } from './build-service';

/** One option: its name, what its comment says, its type, and what its comment says of the default. */
export interface Option {
  readonly name: string;
  readonly means: string;
  readonly type: string;
  readonly default: string | undefined;
}

/** The members of an interface, in order, without those that it extends. */
export function optionsOf(path: string, name: string): readonly Option[] {
  const file = join(repositoryRoot, 'src', path);
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = source.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name);
  if (!found || !ts.isInterfaceDeclaration(found)) throw new Error(`${path} has no interface ${name}`);
  return found.members.filter(ts.isPropertySignature).map((member) => {
    const [comment] = ts.getJSDocCommentsAndTags(member).filter(ts.isJSDoc);
    const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default');
    return {
      name: member.name.getText(),
      means: oneLine(ts.getTextOfJSDocComment(comment?.comment) ?? ''),
      type: oneLine(member.type?.getText() ?? ''),
      default: tag === undefined ? undefined : oneLine(ts.getTextOfJSDocComment(tag.comment) ?? ''),
    };
  });
}

/** Of two options with one name the last one's words, in the place of the first. */
export function merged(...lists: readonly (readonly Option[])[]): readonly Option[] {
  const byName = new Map<string, Option>();
  for (const option of lists.flat()) {
    const { means, default: value, ...rest } = option;
    const known = byName.get(option.name);
    byName.set(option.name, { ...rest, means: means || (known?.means ?? ''), default: value ?? known?.default });
  }
  return [...byName.values()];
}

/** A table of Markdown: what is empty is said to be "none". */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replace(/\n/g, ' ').replace(/\\?\|/g, '\\|') || 'none').join(' | ')} |`,
  );
  return lines.join('\n');
}

/** The unit that a name ends with; else the type. */
export function unitOf({ name, type }: Pick<Option, 'name' | 'type'>): string {
  if (name.endsWith('Ms')) return 'milliseconds';
  if (name.endsWith('Bytes')) return 'bytes';
  const plain = type
    .replace(/\s*\|\s*undefined$/, '')
    .replace(/NonNullable<CacheableRule\['key'\]>/, 'string | ((...args: Args) => string | undefined)')
    .replace(/: (?:Request|AppError|FastifyRequest\['raw'\]|object|Args)\b/g, '')
    .replaceAll('readonly ', '');
  return `\`${plain}\``;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
