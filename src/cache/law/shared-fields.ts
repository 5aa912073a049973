import type { HeaderList } from '../model/cache-entry';
import { valueOf } from './fields';

/**
 * The response fields that the cache never replays: they are meant for the one client that the API answered, or they change a browser's
 * view of the whole host, which here is not the API's. docs/reference/headers.md has the table.
 */

const OF_ONE_CLIENT: ReadonlySet<string> = new Set([
  ...['activate-storage-access', 'authentication-info', 'set-cookie', 'set-cookie2', 'set-login'],
]);
const OF_THE_HOST: ReadonlySet<string> = new Set([
  ...[
    'accept-ch',
    'accept-ch-lifetime',
    'alt-svc',
    'alternate-protocol',
    'clear-site-data',
    'critical-ch',
    'expect-ct',
  ],
  ...[
    'content-security-policy-report-only',
    'nel',
    'origin-agent-cluster',
    'public-key-pins',
    'public-key-pins-report-only',
  ],
  ...['refresh', 'report-to', 'reporting-endpoints', 'service-worker-allowed', 'speculation-rules'],
  ...['strict-transport-security', 'supports-loading-mode', 'use-as-dictionary'],
]);
/** Without nonce, host or report URL: it is the same for every client. */
const NOTHING_ALLOWED = "default-src 'none'";
/** Media types in which a browser runs scripts. */
const ACTIVE = /^[^;]*(?:html|xml)/i;

/** The fields that callers may share. This content security policy replaces any other for types that run scripts. */
export function sharedFields(headers: HeaderList): HeaderList {
  const isShared = ([name, value]: HeaderList[number]): boolean =>
    !OF_ONE_CLIENT.has(name) &&
    !OF_THE_HOST.has(name) &&
    (name !== 'content-security-policy' || value.trim() === NOTHING_ALLOWED);
  if (headers.every(isShared)) return headers;
  const shared = headers.filter(isShared);
  const hasLostPolicy = headers.some(([name]) => name === 'content-security-policy');
  const isActive = ACTIVE.test(valueOf(headers, 'content-type') ?? '');
  return hasLostPolicy && isActive ? [...shared, ['content-security-policy', NOTHING_ALLOWED]] : shared;
}
