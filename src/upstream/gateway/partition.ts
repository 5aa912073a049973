import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import { CALLER_ID_LENGTH, SHARED_PARTITION } from '../../cache';
import type { FlatFields } from '../../cache/fast-path';
import { AppError } from '../../kernel/app-error';
import type { NamedSecrets } from '../../kernel/named-secrets';
import {
  bearer,
  isCredentialLike,
  plainSpelling,
  tokensIn,
  type Credential,
  type CredentialRules,
} from './credentials';

/** The callers who may share stored responses. */
export interface Partition {
  /**
   * In keys, logs and metrics: `-` for all anonymous callers, else a word that only the secret leads to. It begins with `-` where callers
   * without a credential share it.
   */
  readonly id: string;
  /** The caller's own credentials, to be sent on; none for anonymous callers. */
  readonly own: CredentialsToSend | undefined;
}

/** Credentials as they go upstream. */
export interface CredentialsToSend {
  /** Name and value in turn. */
  readonly fields: FlatFields;
  /** Parameters of the query, without a question mark; empty for none. */
  readonly query: string;
}

export const ANONYMOUS = SHARED_PARTITION;
const AUTHORIZATION = 'authorization';
const SHARED = 'the partition of callers who share a token';
/** How many ids of credentials are remembered, and for how long, for callers that repeat requests. */
const REMEMBERED = 1_000;
const REMEMBERED_MS = 60_000;

export interface PartitionOptions {
  readonly rules: CredentialRules;
  /** What callers without a credential are served with; undefined for nothing. */
  readonly sharedToken?: string | undefined;
  /** Whether a field goes upstream with a GET. One that looks like a credential then counts as one. */
  readonly forwards?: (name: string) => boolean;
  /** Secrets of the service itself that are sent by mistake: no caller has one of them. */
  readonly adminTokens?: NamedSecrets;
}

/** Distinguishes callers by their credentials, which only the upstream sees. */
export class Partitions {
  /** For callers without a credential: `-`, or if they are served with a token, a word derived from that token. */
  readonly anonymousId: string;
  private readonly ids = new LRUCache<string, string>({ ...atMost(REMEMBERED), ttl: REMEMBERED_MS });
  private readonly names: ReadonlySet<string>;
  private readonly spelling: (credential: Credential) => string;
  private readonly known = new Map<string, string | undefined>();

  constructor(
    private readonly secret: string,
    private readonly options: PartitionOptions = { rules: {} },
  ) {
    const { rules, sharedToken } = options;
    // Keyed by the token alone: replicas without a common secret share it, and what one token saw is found by no other.
    this.anonymousId = sharedToken === undefined ? ANONYMOUS : shared(sharedToken);
    this.names = new Set([AUTHORIZATION, ...(rules.headers ?? []).map((name) => name.toLowerCase())]);
    this.spelling = rules.canonical ?? plainSpelling;
  }

  /**
   * @param inQuery the credentials that were separated from the query
   * @throws AppError `request-invalid` for more than one of a kind, and for an admin token
   */
  of(rawHeaders: readonly string[], inQuery: readonly Credential[] = []): Partition {
    const found: Credential[] = [];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = this.credentialName(rawHeaders[at] ?? '');
      if (name === undefined) continue;
      if (found.some((one) => one.name === name)) throw moreThanOne(name);
      found.push({ in: 'header', name, value: (rawHeaders[at + 1] ?? '').trim() });
    }
    const fields = found.flatMap(({ name, value }) => [name, value]);
    const all = [...found, ...inQuery];
    if (all.length === 0) return { id: this.anonymousId, own: undefined };
    const query = inQuery.map(({ name, value }) => `${name}=${value}`).join('&');
    return { id: this.idOf(all), own: { fields, query } };
  }

  /** The name of a header field in lower case, if it carries a credential. */
  credentialName(field: string): string | undefined {
    if (this.known.has(field)) return this.known.get(field);
    const name = field.toLowerCase();
    const isOne = this.names.has(name) || (isCredentialLike(name) && this.options.forwards?.(name) === true);
    if (this.known.size < REMEMBERED) this.known.set(field, isOne ? name : undefined);
    return isOne ? name : undefined;
  }

  /** The partition of these credentials together; the same for all spellings of one. */
  idOf(credentials: readonly Credential[]): string {
    const [first] = credentials;
    const isField = credentials.length === 1 && first?.in === 'header';
    return isField ? this.idOfField(first.name, first.value) : this.idOfCaller(credentials);
  }

  /** The partition of a single header field. */
  idOfField(name: string, value: string): string {
    const remembered = name === AUTHORIZATION ? value : `${name}\n${value}`;
    const known = this.ids.get(remembered);
    if (known !== undefined) return known;
    const id = this.idOfCaller([{ in: 'header', name, value }]);
    this.ids.set(remembered, id);
    return id;
  }

  /** The credential of a token as the upstream takes it. */
  credentialOf(token: string): Credential {
    const credential = (this.options.rules.send ?? bearer)(token);
    return credential.in === 'header' ? credential : { ...credential, value: encodeURIComponent(credential.value) };
  }

  /** All partitions of a token: its own, and where callers share it, theirs. It has most likely been seen for the last time: not remembered. */
  idsOf(token: string): readonly string[] {
    const own = this.fingerprintOf([this.credentialOf(token)]);
    return token === this.options.sharedToken ? [own, this.anonymousId] : [own];
  }

  /** Only of a caller that is not remembered, so that a hit does not pay for the comparison. */
  private idOfCaller(credentials: readonly Credential[]): string {
    const { adminTokens } = this.options;
    if (
      adminTokens &&
      credentials.some((one) => tokensIn(one).some((token) => adminTokens.nameOf(token) !== undefined))
    )
      throw new AppError(
        'request-invalid',
        'The credential is an admin token of this service, and was not sent to the API. Use it for the admin API alone.',
      );
    return this.fingerprintOf(credentials);
  }

  private fingerprintOf(credentials: readonly Credential[]): string {
    const texts = credentials.map((one) => this.spelling({ ...one, value: one.value.trim() }));
    return fingerprint(this.secret, [...new Set(texts)].sort().join('\n'));
  }
}

/** A credential as it goes upstream. */
export function toSend({ in: place, name, value }: Credential): CredentialsToSend {
  return place === 'header' ? { fields: [name, value], query: '' } : { fields: [], query: `${name}=${value}` };
}

function moreThanOne(name: string): AppError {
  const written = name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
  return new AppError('request-invalid', `The request has more than one ${written} field. Send one.`);
}

/** The id of the callers who share a token. */
function shared(token: string): string {
  return SHARED_PARTITION + hmac(token, SHARED).slice(1);
}

function fingerprint(secret: string, text: string): string {
  return hmac(secret, text).replace(/^-/, '_');
}

function hmac(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url').slice(0, CALLER_ID_LENGTH);
}
