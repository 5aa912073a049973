import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A token of the admin API, and its name in the audit trail. */
export interface NamedToken {
  readonly name: string;
  readonly token: string;
}

/** The name of the token generated at the start. */
const GENERATED = 'generated';

/** The tokens of the admin API: configured, generated at the start, or none, in which case there is no admin API. */
export class AdminTokens {
  private readonly digests: readonly { readonly name: string; readonly digest: Buffer }[];

  private constructor(
    tokens: readonly NamedToken[],
    /** The token to show to the operator once, if it was generated here. */
    readonly made: string | undefined,
  ) {
    this.digests = tokens.map(({ name, token }) => ({ name, digest: sha256(token) }));
  }

  static of(tokens: readonly NamedToken[], isProduction: boolean): AdminTokens {
    if (tokens.length > 0 || isProduction) return new AdminTokens(tokens, undefined);
    const token = randomBytes(24).toString('hex');
    return new AdminTokens([{ name: GENERATED, token }], token);
  }

  get isEnabled(): boolean {
    return this.digests.length > 0;
  }

  /**
   * The name of a token; undefined for a wrong one. Takes the same time for every guess and length: its digest is compared with those of
   * all tokens.
   */
  nameOf(guess: string): string | undefined {
    const guessed = sha256(guess);
    let found: string | undefined;
    for (const { name, digest } of this.digests) if (timingSafeEqual(guessed, digest)) found ??= name;
    return found;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
