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
/** So many credentials' ids are remembered, each for so long, for callers who come again and again. */
const REMEMBERED = 1_000;
const REMEMBERED_MS = 60_000;

/** Tells callers apart by their credential, which itself gets no further than the upstream. */
export class Partitions {
  private readonly ids = new LRUCache<string, string>({ max: REMEMBERED, ttl: REMEMBERED_MS });

  constructor(private readonly secret: string) {}

  /** @throws AppError `request-invalid` for more than one credential */
  of(rawHeaders: readonly string[]): Partition {
    const credentials: string[] = [];
    for (let at = 0; at + 1 < rawHeaders.length; at += 2)
      if (rawHeaders[at]?.toLowerCase() === 'authorization') credentials.push((rawHeaders[at + 1] ?? '').trim());
    if (credentials.length > 1)
      throw new AppError('request-invalid', 'The request has more than one Authorization field. Send one.');
    const [authorization] = credentials;
    if (authorization === undefined) return { id: ANONYMOUS, authorization: undefined };
    return { id: this.idOf(authorization), authorization };
  }

  /** The same for all ways to write a token: GitHub and others take it by `Bearer` and by `token`, in any case. */
  credentialOf(authorization: string): string {
    const [, scheme = '', token = ''] = /^(\S+)\s+(\S.*)$/s.exec(authorization.trim()) ?? [];
    return this.idOf(/^(?:bearer|token)$/i.test(scheme) ? `Bearer ${token}` : authorization);
  }

  /** The partition of a credential, as the `Authorization` field has it. */
  idOf(authorization: string): string {
    const known = this.ids.get(authorization);
    if (known !== undefined) return known;
    const id = createHmac('sha256', this.secret).update(authorization).digest('base64url').slice(0, ID_LENGTH);
    this.ids.set(authorization, id);
    return id;
  }
}
