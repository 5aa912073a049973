import { AppError } from '../../kernel/app-error';

/*
 * The credentials of an upstream's callers. A credential reaches the upstream and nothing else: no key, log line, metric or header field.
 */

/** One credential of a request. */
export interface Credential {
  readonly in: 'header' | 'query';
  /** The name of the field in lower case, or of the parameter as the definition has it. */
  readonly name: string;
  /** For a parameter: percent-encoded, as written in the query. */
  readonly value: string;
}

/** How callers of an upstream say who they are. */
export interface CredentialRules {
  /** Header fields that carry a caller's identity, beside `Authorization`. Example: `['private-token', 'job-token']` */
  readonly headers?: readonly string[];
  /**
   * Query parameters that carry it. They go upstream, but are no part of a cache key, and are removed from the header fields of
   * responses. Example: `['key', 'access_token']`
   */
  readonly query?: readonly string[];
  /**
   * One text for one caller, in however many spellings its credential may arrive: callers with the same text share stored responses. By
   * default an `Authorization` scheme ignores case, and everything else is compared exactly.
   */
  readonly canonical?: (credential: Credential) => string;
  /** How a token of the service's own is sent. By default `Authorization: Bearer TOKEN`. */
  readonly send?: (token: string) => Credential;
  /** Further query parameters that are refused with 400, because they would carry a secret. Words such as `token` or `password` are refused anyway. */
  readonly refused?: readonly string[];
  /** Tokens of the upstream by their form. A URL that contains one is refused with 400. */
  readonly tokenForm?: RegExp;
}

/** Field names that carry a credential in most APIs, whatever the definition says. */
const CREDENTIAL_LIKE =
  /authorization|cookie|(?:^|-)(?:(?:api|access|app|application|auth|client|consumer|functions|private|secret|service|subscription)-?key|apikey|auth|credentials?|jwt|otp|passwd|password|secret|session(?:-?id)?|signature)$|token/;

/** Whether a header field most likely says who the caller is. Forwarded, it selects a partition of its own. */
export function isCredentialLike(name: string): boolean {
  return CREDENTIAL_LIKE.test(name);
}

/** The default spelling: RFC 9110 §11.1, "a case-insensitive token to identify the authentication scheme". */
export function plainSpelling({ in: place, name, value }: Credential): string {
  if (place === 'query' || name !== 'authorization') return `${name}: ${value}`;
  const [, scheme, rest = ''] = /^(\S+)\s+(\S.*)$/s.exec(value) ?? [];
  return scheme === undefined ? value : `${scheme.toLowerCase()} ${rest}`;
}

/** What may be the token in a credential, whatever its scheme: behind `Bearer` and the like, and user and password of `Basic`. */
export function tokensIn({ in: place, value }: Credential): readonly string[] {
  if (place === 'query') return readingsOf(decoded(value));
  const [, scheme = '', rest = ''] = /^(\S+)\s+(\S.*)$/s.exec(value.trim()) ?? [];
  if (scheme.toLowerCase() === 'basic') return readingsOf(Buffer.from(rest, 'base64').toString('utf8'));
  return [value, rest, rest.slice(rest.lastIndexOf(' ') + 1)].flatMap(readingsOf);
}

/** A text, and the parts that may have been meant alone: `"TOKEN"`, `NAME:TOKEN` as in a setting, `token="TOKEN"`. */
function readingsOf(text: string): readonly string[] {
  const whole = unquoted(text);
  const sides = [':', '='].flatMap((sign) => {
    const at = whole.indexOf(sign);
    return at < 0 ? [] : [whole.slice(0, at), whole.slice(at + 1)];
  });
  return [text, whole, ...sides.map(unquoted)];
}

function unquoted(text: string): string {
  return text.trim().replace(/^["'<]|["'>]$/g, '');
}

/** The credential of a token in the `Authorization` field (RFC 6750 §2.1). */
export function bearer(token: string): Credential {
  return { in: 'header', name: 'authorization', value: `Bearer ${token}` };
}

/**
 * Names without punctuation, in lower case: `access_token`, `access-token` and `accessToken` are one. `key` is not among them: APIs take
 * plain words there, too.
 */
const SECRET_WORDS = [
  ...['token', 'accesstoken', 'authtoken', 'apitoken', 'idtoken', 'oauthtoken', 'privatetoken'],
  ...['refreshtoken', 'sessiontoken', 'usertoken', 'bearer', 'bearertoken', 'authorization', 'jwt', 'clientassertion'],
  ...['apikey', 'accesskey', 'secretkey', 'privatekey', 'xapikey', 'secret', 'clientsecret', 'oauthtokensecret'],
  ...['password', 'passwd', 'passphrase'],
];
const MAX_DECODINGS = 3;

/** A target without its credentials. */
export interface SeparatedQuery {
  /** Without the question mark. */
  readonly query: string;
  readonly credentials: readonly Credential[];
}

/**
 * Takes credentials out of request targets. A URL ends up in logs, cache keys, `Cache-Status` and metrics: a credential may not.
 * Parameters that the upstream's rules name are separated from the query; other credentials are refused.
 */
export class QueryCredentials {
  private readonly names: ReadonlyMap<string, string>;
  private readonly secretWords: ReadonlySet<string>;
  private readonly inUrls: RegExp | undefined;

  constructor(
    private readonly rules: Pick<CredentialRules, 'headers' | 'query' | 'refused' | 'tokenForm'> = {},
    /** The upstream's name in sentences. */
    private readonly title = 'secret',
  ) {
    this.names = new Map((rules.query ?? []).map((name) => [plain(name), name]));
    this.secretWords = new Set([...SECRET_WORDS, ...(rules.refused ?? []).map(plain)]);
    const names = [...this.names.values()].map((name) => name.replace(/[^A-Za-z0-9]/g, '\\$&'));
    const parameter = `(?:${names.join('|')})=[^&;#<>"\\s]*(?:&|(?=[;#<>"\\s]|$))`;
    this.inUrls = names.length === 0 ? undefined : new RegExp(`([?&])(?:${parameter})+`, 'gi');
  }

  /**
   * @param path in its normal form
   * @param query in its normal form, without the question mark
   * @throws AppError `request-invalid` for a credential that the rules do not name; the message quotes only a name of the list, as it was sent
   */
  separate(path: string, query: string): SeparatedQuery {
    const { tokenForm } = this.rules;
    if (tokenForm && (tokenForm.test(decoded(path)) || tokenForm.test(decoded(this.withoutNamed(query)))))
      throw this.refusal(`a ${this.title} token`);
    // An encoded `?`, and `;`, begin parameters for a careless server (RFC 3986 §3.3).
    for (const parameter of decoded(path).split(/[?&;]/).slice(1))
      if (parameter.includes('=')) this.refuseSecret(parameter);
    const credentials: Credential[] = [];
    const rest: string[] = [];
    for (const pair of query.split('&')) {
      const credential = this.credentialOf(pair);
      if (credential && credentials.some(({ name }) => name === credential.name))
        throw new AppError('request-invalid', `The query has more than one "${credential.name}". Send one.`);
      if (credential) credentials.push(credential);
      else rest.push(pair);
      if (!credential) this.refuseSecret(pair);
    }
    return credentials.length === 0 ? { query, credentials } : { query: rest.join('&'), credentials };
  }

  /** Whether there are parameters that are separated. */
  get hasNames(): boolean {
    return this.names.size > 0;
  }

  /** The fields of a response without the parameters that the rules name: APIs repeat the URL in links. */
  removedFrom(value: string): string {
    return this.inUrls
      ? value.replace(this.inUrls, (found, before: string) => (found.endsWith('&') ? before : ''))
      : value;
  }

  private credentialOf(pair: string): Credential | undefined {
    if (this.names.size === 0) return undefined;
    const at = pair.indexOf('=');
    const written = decoded(at < 0 ? pair : pair.slice(0, at));
    const name = /^[\w.-]+$/.test(written) ? this.names.get(plain(written)) : undefined;
    if (name === undefined) return undefined;
    return { in: 'query', name, value: at < 0 ? '' : pair.slice(at + 1) };
  }

  private withoutNamed(query: string): string {
    if (!this.hasNames) return query;
    return query
      .split('&')
      .filter((pair) => !this.credentialOf(pair))
      .join('&');
  }

  // Some servers take `;` for `&` (https://www.w3.org/TR/1999/REC-html401-19991224/appendix/notes.html#h-B.2.2).
  private refuseSecret(parameter: string): void {
    for (const pair of parameter.split(';')) {
      const found = partsOf(decoded(pair.split('=', 1)[0] ?? '')).find((part) => {
        const word = plain(part);
        return this.secretWords.has(word) || this.names.has(word);
      });
      if (found === undefined) continue;
      const isPlain = /^[\w.[\]-]{1,64}$/.test(found);
      throw this.refusal(`the parameter "${isPlain ? found : plain(found)}"`);
    }
  }

  private refusal(what: string): AppError {
    const { headers = [], query = [] } = this.rules;
    const names = headers.length + query.length === 0 ? ['Authorization'] : headers;
    const fields = names.length === 0 ? '' : `in the ${names.join(' or ')} field`;
    const parameters = query.map((name) => `?${name}=`).join(' or ');
    const ways = [fields, parameters && `as ${parameters}, which this service keeps out of logs`];
    return new AppError(
      'request-invalid',
      `The URL contains a credential (${what}). URLs end up in logs: send credentials ${ways.filter((way) => way !== '').join(', or ')}; revoke this one if it is real.`,
    );
  }
}

/** A name without punctuation, as a whole and by its parts: `auth[token]`, `access_token[]` and `token` carry the same. */
function partsOf(name: string): readonly string[] {
  return [name, ...name.split(/[[\].]/)];
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Decoded as often as a careless server might. */
function decoded(text: string): string {
  let result = text;
  for (let times = 0; times < MAX_DECODINGS && result.includes('%'); times++)
    result = result.replace(/%([0-9a-f]{2})/gi, (_whole, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return result;
}
