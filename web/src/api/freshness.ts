import { parseCacheStatus } from './cache-status';
import { field, type Exchange } from './http';

/** Until when an answer is fresh in the cache, by the page's clock; undefined if it is not stored or says nothing of it. */
export function freshUntil(answer: Exchange): { readonly until: number; readonly totalSeconds: number } | undefined {
  const status = parseCacheStatus(field(answer.headers, 'cache-status'));
  if (!status || (!status.isHit && !status.isStored && !status.isCollapsed)) return undefined;
  const ageSeconds = Number(field(answer.headers, 'age') ?? 0);
  const ttlSeconds = status.ttlSeconds ?? secondsAllowed(field(answer.headers, 'cache-control')) - ageSeconds;
  if (Number.isNaN(ttlSeconds)) return undefined;
  return { until: answer.at + answer.totalMs + ttlSeconds * 1000, totalSeconds: Math.max(ageSeconds + ttlSeconds, 1) };
}

/** s-maxage counts before max-age (RFC 9111 §4.2.1); NaN where there is neither. */
function secondsAllowed(cacheControl = ''): number {
  const [, shared] = /(?:^|[\s,])s-maxage="?(\d+)/i.exec(cacheControl) ?? [];
  const [, any] = /(?:^|[\s,])max-age="?(\d+)/i.exec(cacheControl) ?? [];
  return Number(shared ?? any ?? Number.NaN);
}
