import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withDefaults } from '../../src/cache/nest/response-cache.defaults';
import { members } from '../../src/upstream/definition-schema';
import { KIT_SETTINGS } from '../../src/upstream/upstream-settings';
import { repositoryRoot } from '../support/build-service';
import { merged, optionsOf, table, unitOf, type Option } from '../support/option-reference';

/*
 * The reference of options is made from their types, defaults and comments. After a change:
 * UPDATE_DOCS=1 npx jest test/contract/reference.spec.ts
 */

const NOTE =
  'Made from the types and their comments (`UPDATE_DOCS=1 npx jest test/contract/reference.spec.ts`), which a test holds.';
const HEAD = ['option', 'means', 'type or unit', 'default'];

const policy = optionsOf('cache/law/cache-rule.ts', 'FreshnessPolicy');
const ofModule = policy.map((one) => ({ ...one, default: `\`policy.${one.name}\`` }));
const rowOf = (one: Option): readonly string[] => [`\`${one.name}\``, one.means, unitOf(one), one.default ?? ''];

function ruleOptions(): string {
  const ofMethods = merged(
    optionsOf('cache/values/method-cache.ts', 'CacheableRule'),
    optionsOf('cache/values/value-cache.ts', 'ValueRule'),
    ofModule,
  );
  const ofRoutes = merged(
    optionsOf('cache/law/cache-rule.ts', 'CacheRule'),
    ofModule
      .filter(({ name }) => name !== 'ttlMs' && name !== 'negativeTtlMs')
      .map((one) => ({
        ...one,
        default: one.name.startsWith('stale') ? `the handler's, else ${one.default}` : one.default,
      })),
  );
  const ofEvict = optionsOf('cache/values/method-cache.decorators.ts', 'CacheEvictRule');
  return [
    `# Options of rules\n\nWhat a rule leaves out comes from [the module](module-options.md); in the service, from its [settings](../../.env.sample). ${NOTE}`,
    `## \`@CacheRule\` on a route\n\n${table(HEAD, ofRoutes.map(rowOf))}`,
    `## \`@Cacheable\` and \`@CachePut\` on a method\n\n${table(HEAD, ofMethods.map(rowOf))}`,
    `## \`@CacheEvict\` on a method\n\nAt least one of \`key\`, \`tags\` and \`prefix\`.\n\n${table(HEAD, ofEvict.map(rowOf))}`,
  ].join('\n\n');
}

function moduleOptions(): string {
  const defaults = withDefaults({ redis: 'redis://localhost:6379' }) as unknown as Readonly<Record<string, unknown>>;
  const within = (group: string, options: readonly Option[]) =>
    options.map((one) => ({
      ...one,
      name: `${group}.${one.name}`,
      default: shown(valueIn(defaults[group], one.name)),
    }));
  const options = merged(
    optionsOf('cache/nest/response-cache.defaults.ts', 'ResponseCacheOptions'),
    optionsOf('cache/nest/response-cache.defaults.ts', 'ResponseCacheRegistration').filter(
      ({ name }) => name !== 'redis',
    ),
    optionsOf('cache/response-cache.options.ts', 'ResponseCacheModuleOptions').filter(
      ({ name }) => name !== 'policy' && name !== 'l1',
    ),
  ).flatMap((one) => {
    if (one.name === 'policy') return within('policy', policy);
    if (one.name === 'l1') return within('l1', optionsOf('cache/store/memory/memory-tier.ts', 'MemoryLimits'));
    if (one.name === 'redis')
      return [one, ...within('redis', optionsOf('redis/redis-client-options.ts', 'RedisSettings'))];
    return [{ ...one, default: one.default ?? shown(defaults[one.name]) }];
  });
  return [
    `# Options of \`ResponseCacheModule.forRoot()\`\n\n\`forRoot()\` and the factory of \`forRootAsync({ inject, useFactory })\` take the same; every option may be left out. ${NOTE}`,
    table(HEAD, options.map(rowOf)),
  ].join('\n\n');
}

function valueIn(group: unknown, name: string): unknown {
  return (group as Readonly<Record<string, unknown>> | undefined)?.[name];
}

function shown(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US');
  return typeof value === 'string' || typeof value === 'boolean' ? `\`${value}\`` : '';
}

describe('docs/reference', () => {
  it.each([
    ['rule-options.md', ruleOptions],
    ['module-options.md', moduleOptions],
  ])('%s is what the types, defaults and comments say', (name, make) => {
    const file = join(repositoryRoot, 'docs/reference', name);
    if (process.env['UPDATE_DOCS']) writeFileSync(file, `${make()}\n`);
    expect(readFileSync(file, 'utf8')).toBe(`${make()}\n`);
  });

  it('says of each option what it means', () => {
    const rows = [ruleOptions(), moduleOptions()]
      .join('\n')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => row.split(' | ')[1] === 'none')).toEqual([]);
  });

  it('upstream-definition.md names every member of a definition, and every setting of an upstream', () => {
    const text = readFileSync(join(repositoryRoot, 'docs/reference/upstream-definition.md'), 'utf8');
    const listed = text.split('\n').flatMap((line) => (line.startsWith('| `') ? (line.split(' | ')[0] ?? '') : []));
    const names: readonly string[] = listed.join().match(/(?<=`)\w+/g) ?? [];
    expect(Object.keys(members).filter((member) => !names.includes(member))).toEqual([]);
    expect(KIT_SETTINGS.filter((setting) => !text.includes(`\`${setting}\``))).toEqual([]);
  });
});
