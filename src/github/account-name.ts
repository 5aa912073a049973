import { z } from 'zod';
import { AppError } from '../kernel/app-error';

/**
 * A GitHub account name: 1 to 39 letters, digits and single hyphens, none at an end; case does not matter, so it is folded.
 *
 * https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
 */
export const accountName = z
  .string()
  .min(1)
  .max(39)
  .regex(/^[a-z\d]+(?:-[a-z\d]+)*$/i)
  .transform((name) => name.toLowerCase());

/** @throws AppError `account-invalid` */
export function parseAccountName(value: unknown): string {
  const result = accountName.safeParse(value);
  if (result.success) return result.data;
  throw new AppError(
    'account-invalid',
    'A GitHub account name has 1 to 39 letters, digits and single hyphens, and neither begins nor ends with a hyphen. Example: /repos/redis',
  );
}
