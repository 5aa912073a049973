import { z } from 'zod';

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
  limit: orAbsent(
    z
      .string()
      .regex(/^\d{1,4}$/, LIMIT)
      .transform(Number)
      .pipe(z.number().min(1, LIMIT).max(1_000, LIMIT))
      .default(100),
  ),
});

export const purgeQuery = z
  .strictObject({
    prefix: z.string().min(1).max(MAX_KEY).optional(),
    all: z.literal('true', { error: 'must be true, or left out' }).optional(),
  })
  .refine(({ prefix, all }) => (prefix === undefined) !== (all === undefined), 'give either prefix=... or all=true');

export type ListQuery = z.infer<typeof listQuery>;
export type PurgeQuery = z.infer<typeof purgeQuery>;
