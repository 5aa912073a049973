import { QueryCredentials, type CredentialRules } from './credentials';
import { ANONYMOUS, Partitions, toSend, type CredentialsToSend, type Partition } from './partition';

export interface CallersOptions {
  /** The upstream's name in sentences. */
  readonly title: string;
  readonly rules: CredentialRules;
  readonly secret: string;
  /** The service's own; undefined for none. */
  readonly token: string | undefined;
  /** Whether callers without a credential are served with the token. */
  readonly sharesToken: boolean;
  /** One shared cache for all callers (RFC 9111 §3.5). */
  readonly isStrict: boolean;
  readonly forwards: (name: string) => boolean;
}

const NOTHING: CredentialsToSend = { fields: [], query: '' };

/** The callers of one upstream, the service itself among them. */
export class Callers {
  /** Undefined: one shared cache for all callers, whose credentials are ordinary fields. */
  readonly partitions: Partitions | undefined;
  readonly queryCredentials: QueryCredentials;
  readonly anonymous: Partition;
  /** The service itself, with its token if it has one. */
  readonly own: Partition;
  /** The credential whose limits the service's own requests count against. */
  readonly ownId: string;
  readonly ownToSend: CredentialsToSend;
  /** What callers without a credential are served with; undefined for nothing. */
  readonly shared: CredentialsToSend | undefined;

  constructor({ title, rules, secret, token, sharesToken, isStrict, forwards }: CallersOptions) {
    const sharedToken = sharesToken ? token : undefined;
    const partitions = new Partitions(secret, { rules, sharedToken, forwards });
    this.partitions = isStrict ? undefined : partitions;
    // Without partitions nothing may be separated: parameters that would be are refused.
    this.queryCredentials = isStrict
      ? new QueryCredentials(
          { ...rules, query: [], refused: [...(rules.refused ?? []), ...(rules.query ?? [])] },
          title,
        )
      : new QueryCredentials(rules, title);
    const credential = token === undefined ? undefined : partitions.credentialOf(token);
    this.ownId = credential === undefined ? ANONYMOUS : partitions.idOf([credential]);
    this.ownToSend = credential === undefined ? NOTHING : toSend(credential);
    this.shared = sharedToken === undefined ? undefined : this.ownToSend;
    this.anonymous = { id: partitions.anonymousId, own: undefined };
    const hasOwnPartition = credential !== undefined && !isStrict;
    this.own = hasOwnPartition ? { id: this.ownId, own: this.ownToSend } : this.anonymous;
  }
}
