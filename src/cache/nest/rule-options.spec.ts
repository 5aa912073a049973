import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** The members of an interface in a file, without those that it extends. */
function membersOf(path: string, name: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(join(__dirname, path), 'utf8'), ts.ScriptTarget.Latest);
  const found = source.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name);
  if (!found || !ts.isInterfaceDeclaration(found)) throw new Error(`${path} has no interface ${name}`);
  return found.members.flatMap(({ name: member }) => (member && ts.isIdentifier(member) ? [member.text] : []));
}

const policy = membersOf('../law/cache-rule.ts', 'FreshnessPolicy');
const tables: Readonly<Record<string, readonly string[]>> = {
  '@CacheRule': membersOf('../law/cache-rule.ts', 'CacheRule'),
  '@Cacheable': [
    ...policy,
    ...membersOf('value-cache.ts', 'ValueRule'),
    ...membersOf('../methods/method-cache.decorators.ts', 'CacheableRule'),
  ],
  '@CacheEvict': membersOf('../methods/method-cache.decorators.ts', 'CacheEvictRule'),
};

describe('docs/reference/rule-options.md', () => {
  const text = readFileSync(join(__dirname, '../../../docs/reference/rule-options.md'), 'utf8');
  const sections = text.split(/^## /m).slice(1);

  it.each(Object.entries(tables))('has each option of %s once, and no other', (decorator, members) => {
    const section = sections.find((one) => one.startsWith(`\`${decorator}\``)) ?? '';
    const rows = [...section.matchAll(/^\| `(\w+)` \|(.*)$/gm)];
    expect(rows.map(([, name]) => name).sort()).toEqual([...new Set(members)].sort());
    for (const [, , rest = ''] of rows) expect(rest.split(' | ').map((cell) => cell.trim())).not.toContain('');
  });
});
