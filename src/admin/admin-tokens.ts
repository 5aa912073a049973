import { randomBytes } from 'node:crypto';
import { NamedSecrets, type NamedSecret } from '../kernel/named-secrets';

/** The name of the token generated at the start. */
const GENERATED = 'generated';

/** The tokens of the admin API: configured, generated at the start, or none, in which case there is no admin API. */
export class AdminTokens extends NamedSecrets {
  private constructor(
    tokens: readonly NamedSecret[],
    /** The token to show to the operator once, if it was generated here. */
    readonly made: string | undefined,
  ) {
    super(tokens);
  }

  static of(tokens: readonly NamedSecret[], isProduction: boolean): AdminTokens {
    if (tokens.length > 0 || isProduction) return new AdminTokens(tokens, undefined);
    const token = randomBytes(24).toString('hex');
    return new AdminTokens([{ name: GENERATED, token }], token);
  }

  get isEnabled(): boolean {
    return !this.isEmpty;
  }
}
