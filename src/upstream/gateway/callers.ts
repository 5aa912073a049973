import type { NamedSecrets } from '../../kernel/named-secrets';
import type { UpstreamDefinition, UpstreamSettings } from '../upstream-definition';
import { QueryCredentials, type Credential } from './credentials';
import { ANONYMOUS, Partitions, toSend, type CredentialsToSend, type Partition } from './partition';

const NOTHING: CredentialsToSend = { fields: [], query: '' };

/** The callers of one upstream, the service itself among them. */
export class Callers {
  /** Undefined in the strict profile: one shared cache for all callers (RFC 9111 §3.5), whose credentials are ordinary fields. */
  readonly partitions: Partitions | undefined;
  readonly queryCredentials: QueryCredentials;
  readonly anonymous: Partition;
  /** The service itself, with its token if it has one. */
  readonly own: Partition;
  /** The credential whose limits the service's own requests count against. */
  readonly ownId: string;
  readonly ownToSend: CredentialsToSend;
  private readonly checked: Partitions;
  /** What callers without a credential are served with; undefined for nothing. */
  readonly shared: CredentialsToSend | undefined;

  /**
   * @param secret by which callers' ids are hashed
   * @param forwards whether a field goes upstream with a GET
   * @param adminTokens no caller's credentials
   */
  constructor(
    { name, title = name, credentials: rules = {} }: UpstreamDefinition,
    { token, sharesToken, isStrict }: UpstreamSettings,
    secret: string,
    forwards: (field: string) => boolean,
    adminTokens: NamedSecrets,
  ) {
    const sharedToken = sharesToken ? token : undefined;
    const partitions = new Partitions(secret, { rules, sharedToken, forwards, adminTokens });
    this.checked = partitions;
    this.partitions = isStrict ? undefined : partitions;
    // Without partitions nothing may be separated: parameters that would be are refused.
    const { query = [], refused = [] } = rules;
    const ofQuery = isStrict ? { ...rules, query: [], refused: [...refused, ...query] } : rules;
    this.queryCredentials = new QueryCredentials(ofQuery, title);
    const credential = token === undefined ? undefined : partitions.credentialOf(token);
    this.ownId = (token === undefined ? undefined : partitions.idsOf(token)[0]) ?? ANONYMOUS;
    this.ownToSend = credential === undefined ? NOTHING : toSend(credential);
    this.shared = sharedToken === undefined ? undefined : this.ownToSend;
    this.anonymous = { id: partitions.anonymousId, own: undefined };
    const hasOwnPartition = credential !== undefined && !isStrict;
    this.own = hasOwnPartition ? { id: this.ownId, own: this.ownToSend } : this.anonymous;
  }

  /**
   * Whose request it is. In the strict profile everybody's, though its credentials are looked at.
   *
   * @throws AppError `request-invalid` for an admin token of the service, or several fields where there may be one
   */
  partitionOf(rawHeaders: readonly string[], inQuery: readonly Credential[]): Partition {
    const partition = this.checked.of(rawHeaders, inQuery);
    return this.partitions === undefined ? this.anonymous : partition;
  }

  /** The credential whose limits the requests of a partition count against. */
  credentialOf(partition: string): string {
    return partition === this.anonymous.id && this.shared !== undefined ? this.ownId : partition;
  }
}
