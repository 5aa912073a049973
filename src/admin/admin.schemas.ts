import { z } from 'zod';
import { invalidationMessage } from '../cache';
import { SORT_FIELDS } from './entry-filter';
import { EXAMPLE_UPSTREAM } from '../server/api-docs';

/** The input of the admin routes. Globs know `*` and `?`; everything else in them is literal. */

const MAX_KEY = 1_024;

const whole = (min: number, max: number, problem = `must be a whole number from ${min} to ${max}`) =>
  z.coerce.number(problem).int(problem).min(min, problem).max(max, problem);

/** Forms send `cursor=&match=` for empty fields. */
const orAbsent = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema);

const modeOfPurge = orAbsent(z.enum(['purge', 'stale']).default('purge'));
const name = orAbsent(z.string().min(1).max(MAX_KEY).optional());

export const listQuery = z.strictObject({
  tag: name,
  partition: orAbsent(
    z
      .string()
      .regex(/^[\w-]{1,64}$/, 'must be the id of a partition, or -')
      .optional(),
  ),
  status: orAbsent(whole(100, 599, 'must be a status, 100 to 599').optional()),
  freshness: orAbsent(z.enum(['fresh', 'stale']).optional()),
  sort: orAbsent(z.enum(SORT_FIELDS).optional()),
  order: orAbsent(z.enum(['asc', 'desc']).default('asc')),
  cursor: orAbsent(
    z
      .string()
      .regex(/^[\x21-\x7e]{1,1024}$/, 'must be the cursor of an earlier page')
      .optional(),
  ),
  match: orAbsent(z.string().min(1).max(256).default('*')),
  limit: orAbsent(whole(1, 1_000).default(100)),
});

export const purgeQuery = z
  .strictObject({
    prefix: z
      .string()
      .min(1)
      .max(MAX_KEY)
      .meta({ example: `${EXAMPLE_UPSTREAM}:` })
      .optional(),
    all: z.literal('true', { error: 'must be true, or left out' }).optional(),
    mode: modeOfPurge,
  })
  .refine(({ prefix, all }) => (prefix === undefined) !== (all === undefined), 'give either prefix=... or all=true');

/** The options of any invalidation. */
export const modeQuery = z.strictObject({ mode: modeOfPurge });

/** Of a route without parameters. */
export const noQuery = z.strictObject({});

export const countQuery = z
  .strictObject({
    ...{ key: name, tag: name, account: name, prefix: name },
    all: orAbsent(z.literal('true', { error: 'must be true, or left out' }).optional()),
  })
  .refine(
    (query: Readonly<Record<string, unknown>>) =>
      Object.values(query).filter((value) => value !== undefined).length === 1,
    'give one of key, tag, account, prefix, or all=true',
  );

export const auditQuery = z.strictObject({
  limit: orAbsent(whole(1, 500).default(100)),
});

/** The parameters whose values are in the audit log. */
export const AUDITED_PARAMETERS: ReadonlySet<string> = new Set([
  ...[...Object.keys(listQuery.shape), ...Object.keys(purgeQuery.shape), ...Object.keys(countQuery.shape)],
  ...['limit', 'body'],
]);

/** The message, with an example for the documentation: a batch that can be sent unchanged. */
export const invalidationBody = invalidationMessage.meta({
  description: '`purge`: gone. `stale`: kept for the case that the API fails, and validated before any other use.',
  example: {
    keys: [`${EXAMPLE_UPSTREAM}:-:/users/redis`],
    tags: ['repo:redis/redis'],
    accounts: ['nodejs'],
    prefixes: [`${EXAMPLE_UPSTREAM}:-:/users/micro`],
    mode: 'purge',
  },
});

export type ListQuery = z.infer<typeof listQuery>;
export type ModeQuery = z.infer<typeof modeQuery>;
export type CountQuery = z.infer<typeof countQuery>;
export type AuditQuery = z.infer<typeof auditQuery>;
export type PurgeQuery = z.infer<typeof purgeQuery>;
