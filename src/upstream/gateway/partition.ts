import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../kernel/app-error';

/** Who shares stored answers with whom. */
export interface Partition {
  /** In keys, logs and metrics: `-` for all anonymous callers, else a word that only the secret leads to. */
  readonly id: string;
  /** The caller's own `Authorization`, to be sent on. */
  readonly authorization: string | undefined;
}

export const ANONYMOUS = '-';
const ID_LENGTH = 16;
const SHARED = 'the partition of callers who share a token';
/** So many credentials' ids are remembered, each for so long, for callers who come again and again. */
const REMEMBERED = 1_000;
const REMEMBERED_MS = 60_000;

/** Tells callers apart by their credential, which itself gets no further than the upstream. */
export class Partitions {
  private readonly ids = new LRUCache<string, string>({ max: REMEMBERED, ttl: REMEMBERED_MS });

  /** Of callers without a credential: `-`, or where they are served with a token, a word that only that token leads to. */
  readonly anonymousId: string;

  /** @param sharedToken what callers without a credential are served with; undefined for nothing */
  constructor(
    private readonly secret: string,
    private readonly sharedToken?: string,
  ) {
    // Keyed by the token alone: replicas without a common secret share it, and what one token saw is found by no other.
    this.anonymousId = sharedToken === undefined ? ANONYMOUS : fingerprint(sharedToken, SHARED);
  }

  /** @throws AppError `request-invalid` for more than one credential */
  of(rawHeaders: readonly string[]): Partition {
    const credentials: string[] = [];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2)
      if (rawHeaders[at]?.toLowerCase() === 'authorization') credentials.push((rawHeaders[at + 1] ?? '').trim());
    if (credentials.length > 1)
      throw new AppError('request-invalid', 'The request has more than one Authorization field. Send one.');
    const [authorization] = credentials;
    if (authorization === undefined) return { id: this.anonymousId, authorization: undefined };
    return { id: this.idOf(authorization), authorization };
  }

  /** The partition of a credential, as the `Authorization` field has it; the same for all ways to write one token. */
  idOf(authorization: string): string {
    const known = this.ids.get(authorization);
    if (known !== undefined) return known;
    const id = fingerprint(this.secret, canonical(authorization.trim()));
    this.ids.set(authorization, id);
    return id;
  }

  /** All partitions of a token: its own, and where callers share it, theirs. It has most likely been seen for the last time: not remembered. */
  idsOf(token: string): readonly string[] {
    const own = fingerprint(this.secret, canonical(`Bearer ${token}`));
    return token === this.sharedToken ? [own, this.anonymousId] : [own];
  }
}

function fingerprint(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url').slice(0, ID_LENGTH);
}

/**
 * One text for one credential, however it is written: GitHub takes a token as `Bearer T` and `token T`, in any case, and by `Basic`
 * as the password of any user, as the user of `x-oauth-basic`, or as the user without a password
 * (https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api). A password that is no token belongs to its
 * user: two users with one password are two callers.
 */
function canonical(authorization: string): string {
  const [, scheme = '', rest = ''] = /^(\S+)\s+(\S.*)$/s.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
    case 'token':
      return `Bearer ${rest}`;
    case 'basic': {
      const pair = Buffer.from(rest, 'base64').toString('utf8');
      const token = tokenOf(pair);
      return token === undefined ? `Basic ${rest}` : `Bearer ${token}`;
    }
    default:
      return authorization;
  }
}

/** The token in `user:password` (RFC 7617 §2); undefined where the user counts. */
function tokenOf(pair: string): string | undefined {
  const at = pair.indexOf(':');
  if (at < 0) return undefined;
  const [user, password] = [pair.slice(0, at), pair.slice(at + 1)];
  if (user !== '' && password === 'x-oauth-basic') return user;
  if (password !== '' && user === 'x-access-token') return password;
  if (TOKEN.test(password)) return password;
  return password === '' && TOKEN.test(user) ? user : undefined;
}

/** GitHub's tokens by their prefix, and those of 40 hexadecimal digits that it gave before 2021. */
const TOKEN = /^(?:gh[a-z]_|github_pat_|v\d+\.)\S+$|^[0-9a-f]{40}$/;
