import type { HeaderList } from '../model/cache-entry';
import { applyPolicy, type CachePolicy } from './cache-policy';
import { responsePolicy, type CacheKind } from './response-policy';

const NOW = Date.UTC(2026, 0, 5, 12);
const ALL: CachePolicy = {
  ttlMs: 300_000,
  negativeTtlMs: 7_000,
  staleWhileRevalidateMs: 30_000,
  staleIfErrorMs: 86_400_000,
};

function policyOf(control: string | undefined, operator: CachePolicy, status = 200, kind: CacheKind = 'shared') {
  const headers: HeaderList = control === undefined ? [] : [['cache-control', control]];
  const response = { status, headers, requestedAt: NOW, receivedAt: NOW };
  const own = responsePolicy(response, kind, { hasAuthorization: false, isNoStore: false });
  return applyPolicy(own, status, operator);
}

describe("the operator's word", () => {
  it('lengthens and shortens', () => {
    expect(policyOf('public, max-age=60', ALL)).toMatchObject({
      lifetimeMs: 300_000,
      staleWhileRevalidateMs: 30_000,
      staleIfErrorMs: 86_400_000,
    });
    expect(policyOf('public, max-age=6000', { ttlMs: 0 }).lifetimeMs).toBe(0);
    expect(policyOf(undefined, ALL).lifetimeMs).toBe(300_000);
  });

  it.each([
    ['no-store', 'shared'],
    ['private, max-age=60', 'shared'],
    ['no-store, max-age=60', 'private'],
  ] as const)('never makes "%s" storable in a %s cache', (control, kind) => {
    expect(policyOf(control, ALL, 200, kind).isStorable).toBe(false);
  });

  it.each(['no-cache', 'no-cache, max-age=60', 'must-revalidate, max-age=60', 'proxy-revalidate, max-age=60'])(
    'never serves "%s" stale',
    (control) => {
      expect(policyOf(control, ALL).revalidation).not.toBe('none');
    },
  );

  it('never serves "no-cache" without validation', () => {
    expect(policyOf('no-cache, max-age=60', ALL).lifetimeMs).toBe(0);
  });

  it('serves stale what only s-maxage would forbid, if there is an operator at all', () => {
    const headers: HeaderList = [['cache-control', 'public, max-age=60, s-maxage=60']];
    const response = { status: 200, headers, requestedAt: NOW, receivedAt: NOW };
    const own = responsePolicy(response, 'shared', { hasAuthorization: false, isNoStore: false });
    expect(applyPolicy(own, 200, undefined).revalidation).toBe('when-stale-implied');
    expect(applyPolicy(own, 200, { defaultStaleIfErrorMs: 5_000 })).toMatchObject({
      revalidation: 'none',
      staleIfErrorMs: 5_000,
    });
  });

  it('serves "must-revalidate" stale, but never "no-cache", where the definition says that all responses are marked so', () => {
    const waived = { ...ALL, staleDespiteMustRevalidate: true };
    expect(policyOf('max-age=0, private, must-revalidate', waived, 200, 'private').revalidation).toBe('none');
    expect(policyOf('no-cache, must-revalidate', waived).revalidation).toBe('always');
  });

  it('lets the response speak first of stale-if-error, where the operator has only a default', () => {
    expect(policyOf('max-age=60, stale-if-error=9', { defaultStaleIfErrorMs: 5_000 }).staleIfErrorMs).toBe(9_000);
    expect(
      policyOf('max-age=60, stale-if-error=9', { defaultStaleIfErrorMs: 5_000, staleIfErrorMs: 1_000 }).staleIfErrorMs,
    ).toBe(1_000);
  });

  it('remembers "not found" for a time of its own, where the response says nothing', () => {
    expect(policyOf(undefined, ALL, 404).lifetimeMs).toBe(7_000);
    expect(policyOf('public, max-age=60', ALL, 404).lifetimeMs).toBe(60_000);
    expect(policyOf(undefined, ALL, 500).lifetimeMs).toBe(0);
  });
});
