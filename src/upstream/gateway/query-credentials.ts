import { AppError } from '../../kernel/app-error';

/*
 * Credentials in a request target. A URL ends up in logs, cache keys, `Cache-Status` and metrics: a credential may not.
 */

/**
 * Parameters that carry a credential, in lower case and without punctuation: `access_token`, `access-token` and `accessToken` are
 * one. `key` is not among them: GitHub's `GET /repos/{owner}/{repo}/actions/caches?key=` takes a plain word there.
 */
const NAMES: ReadonlySet<string> = new Set([
  ...['token', 'accesstoken', 'authtoken', 'apitoken', 'githubtoken', 'idtoken', 'oauthtoken', 'privatetoken'],
  ...['refreshtoken', 'sessiontoken', 'usertoken', 'bearer', 'bearertoken', 'authorization', 'jwt', 'clientassertion'],
  ...['apikey', 'accesskey', 'secretkey', 'privatekey', 'xapikey', 'secret', 'clientsecret', 'oauthtokensecret'],
  ...['password', 'passwd', 'passphrase'],
]);
/** GitHub's own tokens by their form, whatever the parameter is called (https://github.blog/engineering/behind-githubs-new-authentication-token-formats/). */
const GITHUB_TOKEN = /(?:gh[oprsu]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_)/;
const MAX_DECODINGS = 3;

/**
 * @param path in its normal form
 * @param query in its normal form, without the question mark
 * @throws AppError `request-invalid` for a credential; the message has nothing of the target but a name from the list
 */
export function refuseCredentials(path: string, query: string): void {
  if (GITHUB_TOKEN.test(decoded(path)) || GITHUB_TOKEN.test(decoded(query))) throw refusal('a GitHub token');
  // Some servers take `;` for `&` (https://www.w3.org/TR/1999/REC-html401-19991224/appendix/notes.html#h-B.2.2).
  for (const pair of query.split(/[&;]/)) {
    const name = decoded(pair.split('=', 1)[0] ?? '');
    const found = wordsOf(name).find((word) => NAMES.has(word));
    if (found !== undefined) throw refusal(`the parameter "${found}"`);
  }
}

/** A name without punctuation, as a whole and by its parts: `auth[token]`, `access_token[]` and `token` carry the same. */
function wordsOf(name: string): readonly string[] {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  return [name, ...name.split(/[[\].]/)].map(plain);
}

/** Decoded as often as a careless server might. */
function decoded(text: string): string {
  let result = text;
  for (let times = 0; times < MAX_DECODINGS && result.includes('%'); times++)
    result = result.replace(/%([0-9a-f]{2})/gi, (_whole, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return result;
}

function refusal(what: string): AppError {
  return new AppError(
    'request-invalid',
    `The URL contains a credential (${what}). URLs end up in logs: send credentials in the Authorization field, and revoke this one if it is real.`,
  );
}
