import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/**
 * Counts the turns of phrase that make a text hard to read: subjects that are no things, inverted clauses, and verbs that hide their effect.
 * It counts, it does not parse: a hit may be right where it stands, so texts have a budget, not a ban.
 */
const STILTED: readonly RegExp[] = [
  // subjects: name the client, the caller, the replica, the request
  /\b(whoever|nobody|somebody|no one|someone)\b/gi,
  /(?<=^|[.:;(] |\b(?:for|of|to|by|from|with|and|but|or|those|all|than) )who(se|m)?\b/gi,
  /(?<=^|[.:;] )what (is|are|was|were|has|had|have|comes?|came|goes|went|leads|all|they|it|others|else|an?|the|no|each)\b(?![^.;:]*\?)/gi,
  /(?<=\b(?:of|for|to|by|with|from|than|and|or|but|beside|under|in|on|after) )what (is|are|was|were|has|had|comes?|came)\b/gi,
  /\b(of|for|to|by|with|from|all|than|is|are|and|as|but) those\b(?! of\b)/gi,
  /\ball (that|who|which|there is)\b/gi,
  // order: subject, verb, object
  /(?<=^|[.;:] )(of|under|beside|for|by|with) (an?|the|those|all|what|two|each|others|one) [^.;:,]*[,:] (what|how|where|who)\b/gi,
  /(?<=^|\. )(of [^.;]*[:,]|those\b)/gi,
  /(?<=[:;,] )of (an?|the|those|all|two|each|one|such) [^.;:,]*,/gi,
  /(?<=^|[.;] )(has|have|had|is|are) (an?|the|all|what|who|each|its|`|it|those|told|asked|been)(?![^.;:]*\?)/gi,
  /\b(goes|go|went|leads) nowhere\b|\bis none of\b|\bnone of (its|their|the others)\b|\bfor whom\b/gi,
  /\b(that|what|as) (it|they|he) (is|are|was|were)(?=[.,;:]|$)|(?<!\bso )\bthat it is\b/gi,
  /\b(nothing|all|everything|anything|none)( of [^.,;:]*)? but\b|\bbut for\b|\bthose aside\b/gi,
  /\b(another|other)(['’]s|s['’]) (alone|own|concern)\b|\bhas its say\b|\ba word of\b/gi,
  /\b(anew|whereof|thereof|therein|wherein|hereby|meanwhile)\b/gi,
  // verbs: publish, notify, log, store, subscribe, wait
  /\b(tell|tells|told|telling|hear|hears|heard|hearing|heed|heeds|heeded|heeding)\b(?! apart)/gi,
];

export interface Count {
  readonly words: number;
  readonly found: readonly string[];
}

/** Counts in several texts, each apart, so that no pattern spans two of them. */
export function countStilted(texts: readonly string[]): Count {
  const plain = texts.map((text) => text.replace(/\s+/g, ' ').trim());
  return {
    words: plain.reduce((sum, text) => sum + text.split(' ').filter((word) => /\w/.test(word)).length, 0),
    found: plain.flatMap((text) =>
      STILTED.flatMap((pattern) =>
        [...text.matchAll(pattern)].map(
          ({ 0: match, index }) =>
            `…${text.slice(Math.max(0, index - 40), index)}«${match}»${text.slice(index + match.length, index + match.length + 40)}`,
        ),
      ),
    ),
  };
}

/** The stilted phrases of a text per 1,000 words. */
export function perThousand({ words, found }: Count): number {
  return words === 0 ? 0 : (found.length / words) * 1_000;
}

/** The comments of a TypeScript source, without their markers; lines that follow each other are one comment. */
export function commentsOf(source: string): string[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true);
  const ranges = new Map<number, ts.CommentRange>();
  const visit = (node: ts.Node) => {
    const around = [
      ...(ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(source, node.getEnd()) ?? []),
    ];
    for (const range of around) ranges.set(range.pos, range);
    node.getChildren(file).forEach(visit);
  };
  visit(file);
  const comments: { text: string; end: number; isOwnLine: boolean }[] = [];
  for (const { pos, end } of [...ranges.values()].sort((a, b) => a.pos - b.pos)) {
    const text = source.slice(pos, end).replace(/^\/\*+|\*\/$|^\s*\*(?!\/) ?|^\/\/ ?/gm, '');
    const last = comments.at(-1);
    if (last?.isOwnLine && source.startsWith('//', pos) && /^\n *$/.test(source.slice(last.end, pos))) {
      last.text += ` ${text}`;
      last.end = end;
    } else comments.push({ text, end, isOwnLine: /(^|\n) *$/.test(source.slice(0, pos)) });
  }
  return comments.map(({ text }) => text).filter((text) => !/eslint-|@ts-/.test(text));
}

/** The titles of a spec's tests and groups. */
export function titlesOf(source: string): string[] {
  return [
    ...source.matchAll(/\b(?:it|test|describe)(?:\.\w+(?:\([^]*?\))?)*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g),
  ].map(([, , title = '']) => title);
}

/** The HELP texts of metrics. */
export function helpTextsOf(source: string): string[] {
  const help =
    /(?:\bhelp:\s*|\.(?:register|gauge|limitGauge)\([^'(]*(?:'\w+',\s*)*)(['"`])([A-Z](?:\\.|(?!\1)[^\\])*)\1/g;
  return [...source.matchAll(help)].map(([, , text = '']) => text);
}

/** The paragraphs of a Markdown page, without its code blocks and headings. */
export function proseOf(markdown: string): string[] {
  return markdown
    .replace(/^```[^]*?^```|^#.*$/gm, '')
    .split(/\n\s*\n|\n(?=\s*[-*|#])/)
    .map((text) => text.replace(/^[\s\-*#>|]+/, '').replace(/\*\*|__/g, ''));
}

export function readAll(folder: string, isWanted: (path: string) => boolean): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => isWanted(path) && !path.includes('node_modules'))
    .map((path) => readFileSync(path, 'utf8'));
}
