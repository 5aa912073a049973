import { createHmac, timingSafeEqual } from 'node:crypto';

const FIELD = /^sha256=([0-9a-f]{64})$/i;

/**
 * Whether a webhook's body was signed with one of the secrets (HMAC SHA-256 in hex, as in `X-Hub-Signature-256`,
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries). Each secret is tried, in constant time.
 *
 * @param body the bytes as they were received
 */
export function isSignedBy(secrets: readonly string[], body: Buffer, field: string | undefined): boolean {
  const given = Buffer.from(FIELD.exec(field ?? '')?.[1] ?? '', 'hex');
  let isValid = false;
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(body).digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) isValid = true;
  }
  return isValid;
}
