import { bearer, plainSpelling, type CredentialRules } from '../upstream';

/*
 * How GitHub's callers say who they are (https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api).
 */

export const githubCredentials: CredentialRules = {
  canonical: (credential) =>
    credential.name === 'authorization' ? canonical(credential.value) : plainSpelling(credential),
  send: bearer,
  refused: ['github_token'],
  // https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
  tokenForm: /(?:gh[oprsu]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_)/,
};

/**
 * One text for one credential, however it is written: GitHub takes a token as `Bearer T` and `token T`, in any case, and by `Basic`
 * as the password of any user, as the user of `x-oauth-basic`, or as the user without a password. A password that is no token belongs
 * to its user: two users with one password are two callers.
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

/** GitHub's tokens by their prefix, and the 40 hexadecimal digits of tokens from before 2021. */
const TOKEN = /^(?:gh[a-z]_|github_pat_|v\d+\.)\S+$|^[0-9a-f]{40}$/;
