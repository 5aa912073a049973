import type { FastifyRequest } from 'fastify';
import type { HeaderList } from '../model/cache-entry';
import { CARRIED_OUT_HERE } from '../law/conditions';

/** The part of a request that all requests for the same stored response share, and its cache directives. */
export interface RequestFingerprint {
  readonly text: string;
  /** Directives, conditions and range, names in lower case. */
  readonly asked: HeaderList;
}

/** The meaning of a request field for the fast path. */
export type FieldKind =
  /** It changes nothing. */
  | 'none'
  /** It is forwarded to the origin, and may select the response. */
  | 'selecting'
  /** It distinguishes callers. */
  | 'credential'
  /** A directive, condition or range, which the cache handles itself. */
  | 'asked'
  | 'connection'
  | 'slow-path';

/** Fields of a message with a body. */
const SLOW_PATH_HEADERS: ReadonlySet<string> = new Set([
  ...['content-length', 'transfer-encoding', 'expect', 'upgrade', 'trailer'],
]);
const NONE: HeaderList = [];
const MAX_NAMES = 500;

/** Fingerprints of requests under the same rules. */
export class Fingerprints {
  private readonly kinds = new Map<string, FieldKind>();

  /**
   * @param kindOf the kind of any other field, its name in lower case
   * @param callerOf the partition of a credential and the field that contained it, or of requests without one
   */
  constructor(
    private readonly kindOf: (name: string) => FieldKind,
    private readonly callerOf?: (field?: string, credential?: string) => string,
  ) {}

  /**
   * Undefined for a request of the slow path. No field value has a line break, so that different requests have different texts.
   *
   * @param name of the method and URL; a HEAD may have another route than the GET
   */
  of({ rawHeaders }: FastifyRequest['raw'], name: string): RequestFingerprint | undefined {
    let text = name;
    let credentialField: string | undefined;
    let credential: string | undefined;
    let asked: (readonly [string, string])[] | undefined;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const field = rawHeaders[at] ?? '';
      const value = rawHeaders[at + 1] ?? '';
      switch (this.kinds.get(field) ?? this.learnKind(field)) {
        case 'selecting':
          text += `\n${field}:${value}`;
          break;
        case 'credential':
          if (credential !== undefined) return undefined;
          [credentialField, credential] = [field, value];
          break;
        case 'asked':
          (asked ??= []).push([field.toLowerCase(), value]);
          break;
        case 'connection':
          if (value !== 'keep-alive' && !IS_PERSISTENCE.test(value)) return undefined;
          break;
        case 'slow-path':
          return undefined;
        case 'none':
      }
    }
    if (this.callerOf) text = `${this.callerOf(credentialField, credential)}\n${text}`;
    return { text, asked: asked ?? NONE };
  }

  private learnKind(name: string): FieldKind {
    const kind = this.classify(name.toLowerCase());
    if (this.kinds.size < MAX_NAMES) this.kinds.set(name, kind);
    return kind;
  }

  private classify(name: string): FieldKind {
    if (SLOW_PATH_HEADERS.has(name)) return 'slow-path';
    if (CARRIED_OUT_HERE.has(name)) return 'asked';
    if (name === 'connection') return 'connection';
    return name === 'host' ? 'none' : this.kindOf(name);
  }
}

/** Any other option names a field of this connection alone (RFC 9110 §7.6.1). */
const IS_PERSISTENCE = /^(?:keep-alive|close)$/i;
