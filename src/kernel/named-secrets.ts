import { createHash, timingSafeEqual } from 'node:crypto';

/** A secret, and its name in logs. */
export interface NamedSecret {
  readonly name: string;
  readonly token: string;
}

/** Secrets that requests are compared with. */
export class NamedSecrets {
  private readonly digests: readonly { readonly name: string; readonly digest: Buffer }[];

  constructor(secrets: readonly NamedSecret[]) {
    this.digests = secrets.map(({ name, token }) => ({ name, digest: sha256(token) }));
  }

  get isEmpty(): boolean {
    return this.digests.length === 0;
  }

  /**
   * The name of a secret; undefined for a wrong one. Takes the same time for every guess and length: its digest is compared with those of
   * all secrets.
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
