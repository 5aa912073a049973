import { z } from 'zod';
import { invalidationMessage } from '../cache';

/*
 * What the admin routes take. Globs know `*` and `?`; everything else in them is literal.
 */

const MAX_KEY = 1_024;
const LIMIT = 'must be a whole number from 1 to 1000';

/** `cursor=&match=` is how forms leave out what is not filled in. */
const orAbsent = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema);

export const listQuery = z.strictObject({
  cursor: orAbsent(
    z
      .string()
      .regex(/^[\x21-\x7e]{1,1024}$/, 'must be the cursor of an earlier page')
      .optional(),
  ),
  match: orAbsent(z.string().min(1).max(256).default('*')),
  limit: orAbsent(z.coerce.number(LIMIT).int(LIMIT).min(1, LIMIT).max(1_000, LIMIT).default(100)),
});

export const purgeQuery = z
  .strictObject({
    prefix: z.string().min(1).max(MAX_KEY).meta({ example: 'github:' }).optional(),
    all: z.literal('true', { error: 'must be true, or left out' }).optional(),
  })
  .refine(({ prefix, all }) => (prefix === undefined) !== (all === undefined), 'give either prefix=... or all=true');

/** The message, with what the documentation shows of it: a batch that may be sent as it is. */
export const invalidationBody = invalidationMessage.meta({
  description: '`purge`: gone. `stale`: kept for the case that the API fails, and validated before any other use.',
  example: {
    keys: ['github:-:/users/redis'],
    tags: ['repo:redis/redis'],
    accounts: ['nodejs'],
    prefixes: ['github:-:/users/micro'],
    mode: 'purge',
  },
});

export type ListQuery = z.infer<typeof listQuery>;
export type PurgeQuery = z.infer<typeof purgeQuery>;
