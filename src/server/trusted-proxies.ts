import { z } from 'zod';

/** The proxies whose `X-Forwarded-For` is trusted, in the form of Fastify's `trustProxy`: all, a number of hops, or the proxies named. */
export type TrustedProxies = boolean | number | readonly string[];

/** Names of ranges that need no spelling out: 127.0.0.0/8 and ::1, link-local, and private addresses. */
const NAMED_RANGES: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);
const MAX_HOPS = 32;
const addressOrRange = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);

/**
 * Parses `TRUST_PROXY`.
 *
 * @throws Error saying which part is wrong
 */
export function parseTrustedProxies(text: string): TrustedProxies {
  if (text === 'false' || text === 'true') return text === 'true';
  if (/^\d+$/.test(text)) {
    const hops = Number(text);
    if (hops > MAX_HOPS) throw new Error(`must be at most ${MAX_HOPS} hops`);
    return hops === 0 ? false : hops;
  }
  const proxies = text.split(',').map((proxy) => proxy.trim());
  const wrong = proxies.find((proxy) => !NAMED_RANGES.has(proxy) && !addressOrRange.safeParse(proxy).success);
  if (wrong === undefined) return proxies;
  throw new Error(`must be true, false, a number of hops, or addresses and CIDR ranges; "${wrong}" is neither`);
}
