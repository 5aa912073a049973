import { createHmac, timingSafeEqual } from 'node:crypto';

const FIELD = /^sha256=([0-9a-f]{64})$/i;

/**
 * Whether a webhook's body was signed with one of the secrets (HMAC SHA-256 in hex, as in `X-Hub-Signature-256`,
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries), told as its bytes are received. Each secret is
 * tried, in constant time.
 */
export class SignatureCheck {
  private constructor(
    private readonly given: Buffer,
    private readonly hashes: readonly ReturnType<typeof createHmac>[],
  ) {}

  /** Undefined for a field that is missing or has another form: there is nothing to check then. */
  static of(secrets: readonly string[], field: string | undefined): SignatureCheck | undefined {
    const [, hex] = FIELD.exec(field ?? '') ?? [];
    if (hex === undefined) return undefined;
    return new SignatureCheck(
      Buffer.from(hex, 'hex'),
      secrets.map((secret) => createHmac('sha256', secret)),
    );
  }

  /** @param bytes as they were received */
  add(bytes: Buffer): void {
    for (const hash of this.hashes) hash.update(bytes);
  }

  /** To be asked once, at the end. */
  isValid(): boolean {
    let isValid = false;
    for (const hash of this.hashes) if (timingSafeEqual(this.given, hash.digest())) isValid = true;
    return isValid;
  }
}
