import { responsePolicy } from '../law/response-policy';
import { whileSettling } from './settling-tags';

const policyOf = (cacheControl: string) =>
  responsePolicy(
    { status: 200, headers: [['cache-control', cacheControl]], requestedAt: 0, receivedAt: 0 },
    'private',
    { hasAuthorization: false, isNoStore: false },
  );

describe('a response about something that settles', () => {
  it.each<[string, number]>([
    ['max-age=600, stale-while-revalidate=600', 1_000],
    ['max-age=0', 0],
    ['no-cache', 0],
    ['max-age=600, must-revalidate', 1_000],
  ])('with %s is fresh for %d ms, and not served while it is validated', (cacheControl, lifetimeMs) => {
    expect(whileSettling(policyOf(cacheControl))).toMatchObject({ lifetimeMs, staleWhileRevalidateMs: 0 });
  });

  it('stays what it was in everything else', () => {
    const policy = policyOf('max-age=600, stale-if-error=60, private');
    expect(whileSettling(policy)).toEqual({ ...policy, lifetimeMs: 1_000, staleWhileRevalidateMs: 0 });
    expect(whileSettling(policyOf('no-store')).isStorable).toBe(false);
  });
});
