import { z } from 'zod';
import { asUrl, tagOfAccount, toCacheKey, toKeyPrefix } from '../model/cache-key';
import type { InvalidationTarget } from '../store/cache-store';

const MAX_NAME_LENGTH = 1_024;
const names = (max: number) => z.array(z.string().min(1).max(MAX_NAME_LENGTH)).max(max).default([]);

/** The targets of an invalidation, from an operator or a trusted data source: at least one. */
export const invalidationMessage = z
  .strictObject({
    keys: names(1_000),
    tags: names(100),
    accounts: names(100),
    prefixes: names(100),
    mode: z.enum(['purge', 'stale']).default('purge'),
  })
  .refine(
    ({ keys, tags, accounts, prefixes }) => keys.length + tags.length + accounts.length + prefixes.length > 0,
    'name at least one key, tag, account or prefix',
  );

export type InvalidationMessage = z.infer<typeof invalidationMessage>;

export function targetsOf({ keys, tags, accounts, prefixes }: InvalidationMessage): readonly InvalidationTarget[] {
  return [
    ...keys.flatMap(keysMeant).map((key) => ({ kind: 'key' as const, key })),
    ...[...tags.flatMap(tagsMeant), ...accounts.map(tagOfAccount)].map((tag) => ({ kind: 'tag' as const, tag })),
    ...prefixes.flatMap(prefixesMeant).map((prefix) => ({ kind: 'prefix' as const, prefix })),
  ];
}

/** A tag as written, because it may be an operator's own, and in lower case, like the names in all other tags. */
export function tagsMeant(tag: string): readonly string[] {
  return [...new Set([tag, tag.toLowerCase()])];
}

/** The key itself, and the keys of this name, as text and as a URL: a typed key has a `%`, a blank, or a length that keys do not have. */
export function keysMeant(key: string): readonly string[] {
  return [...new Set([entryKey(key), toCacheKey(key), toCacheKey(asUrl(key))])];
}

/** A prefix as written, in the form of keys, and in the form of URLs; without those that another one covers. */
export function prefixesMeant(prefix: string): readonly string[] {
  const all = [...new Set([prefix, toKeyPrefix(prefix), toKeyPrefix(asUrl(prefix))])];
  return all.filter((one) => !all.some((other) => other !== one && one.startsWith(other)));
}

/** A person's key: a copy from `Cache-Status` or a list is already encoded, a typed one may need encoding. */
export function entryKey(key: string): string {
  return /^[\x21-\x7e]+$/.test(key) && !/[{}"\\]/.test(key) ? key : toCacheKey(key);
}
