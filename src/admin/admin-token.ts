import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The admin's secret: given, made at start, or absent, in which case there is no admin API. */
export class AdminToken {
  private readonly digest: Buffer | undefined;

  private constructor(
    token: string | undefined,
    /** The token to show to the operator once, if it was generated here. */
    readonly made: string | undefined,
  ) {
    this.digest = token === undefined ? undefined : sha256(token);
  }

  static of(token: string | undefined, isProduction: boolean): AdminToken {
    if (token !== undefined) return new AdminToken(token, undefined);
    if (isProduction) return new AdminToken(undefined, undefined);
    const made = randomBytes(24).toString('hex');
    return new AdminToken(made, made);
  }

  get isEnabled(): boolean {
    return this.digest !== undefined;
  }

  /** Takes the same time whatever the guess and its length: digests are compared, not texts. */
  matches(guess: string): boolean {
    return this.digest !== undefined && timingSafeEqual(sha256(guess), this.digest);
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
