/**
 * The dictionary of the stored format: frequent header fields and names are stored as one number. Part of the format: a place in either
 * list is a number in stored values, so append only, never reorder (as the static table of RFC 7541, appendix A). The two lists are
 * numbered separately: appending to one leaves the other unchanged. A test checks both.
 */

/** Whole fields. */
export const STATIC_FIELDS: readonly (readonly [name: string, value: string])[] = [
  ['content-type', 'application/json; charset=utf-8'],
  ['content-type', 'application/problem+json; charset=utf-8'],
  ['content-type', 'text/plain; charset=utf-8'],
  ['content-type', 'text/html; charset=utf-8'],
  ['content-type', 'application/octet-stream'],
  ['server', 'github.com'],
  ['cache-control', 'public, max-age=60, s-maxage=60'],
  ['cache-control', 'private, max-age=60, s-maxage=60'],
  ['cache-control', 'no-cache'],
  ['vary', 'Accept, Accept-Encoding, Accept, X-Requested-With'],
  ['vary', 'Accept,Accept-Encoding, Accept, X-Requested-With'],
  ['vary', 'Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With'],
  ['x-github-media-type', 'github.v3; format=json'],
  ['x-github-api-version-selected', '2022-11-28'],
  [
    'access-control-expose-headers',
    'ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset',
  ],
  ['access-control-allow-origin', '*'],
  ['strict-transport-security', 'max-age=31536000; includeSubdomains; preload'],
  ['x-frame-options', 'deny'],
  ['x-content-type-options', 'nosniff'],
  ['x-xss-protection', '0'],
  ['referrer-policy', 'origin-when-cross-origin, strict-origin-when-cross-origin'],
  ['content-security-policy', "default-src 'none'"],
  ['x-ratelimit-resource', 'core'],
  ['x-ratelimit-limit', '60'],
  ['x-ratelimit-limit', '5000'],
  ['accept-ranges', 'bytes'],
  ['content-encoding', 'gzip'],
  ['transfer-encoding', 'chunked'],
];

/** Names, with any value. */
export const STATIC_NAMES: readonly string[] = [
  ...['accept-ranges', 'access-control-allow-origin', 'access-control-expose-headers', 'age', 'allow', 'cache-control'],
  ...['content-disposition', 'content-encoding', 'content-language', 'content-length', 'content-location'],
  ...['content-range', 'content-security-policy', 'content-type', 'date', 'deprecation', 'etag', 'expires'],
  ...['last-modified', 'link', 'location', 'referrer-policy', 'retry-after', 'server', 'set-cookie', 'sunset'],
  ...['strict-transport-security', 'vary', 'via', 'warning', 'x-accepted-github-permissions'],
  ...['x-accepted-oauth-scopes', 'x-content-type-options', 'x-frame-options', 'x-github-api-version-selected'],
  ...['x-github-media-type', 'x-github-request-id', 'x-oauth-scopes', 'x-oauth-client-id', 'x-poll-interval'],
  ...['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'x-ratelimit-resource', 'x-ratelimit-used'],
  ...['x-xss-protection', 'github-authentication-token-expiration'],
  // Request fields that responses vary by.
  ...['accept', 'accept-encoding', 'accept-language', 'authorization', 'cookie', 'origin', 'user-agent'],
  ...['x-github-api-version', 'x-github-otp', 'x-requested-with'],
];
