import type { IncomingMessage } from 'node:http';
import { clientOrigin } from './client-origin';
import type { TrustedProxies } from './trusted-proxies';

function originSeen(
  proxies: TrustedProxies,
  headers: Record<string, string>,
  { encrypted = false, remoteAddress = '10.0.0.7' } = {},
): string | undefined {
  const request = { headers: { host: 'inner:8081', ...headers }, socket: { encrypted, remoteAddress } };
  return clientOrigin(proxies)(request as unknown as IncomingMessage);
}

const PROXY = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'larder.example' };

describe('the origin by which a client calls the service', () => {
  it('is its own word where no proxy is trusted', () => {
    expect(originSeen(false, PROXY)).toBe('http://inner:8081');
    expect(originSeen(0, PROXY)).toBe('http://inner:8081');
    expect(originSeen(['192.168.0.0/16'], PROXY)).toBe('http://inner:8081');
    expect(originSeen(false, {}, { encrypted: true })).toBe('https://inner:8081');
    expect(originSeen(false, { host: '' })).toBeUndefined();
  });

  it.each<[string, TrustedProxies, string]>([
    ['everybody', true, '203.0.113.1'],
    ['one hop', 1, '203.0.113.1'],
    ['an address', ['10.0.0.7'], '10.0.0.7'],
    ['a range', ['192.0.2.0/24', '10.0.0.0/8'], '10.9.9.9'],
    ['a range, by an IPv4-mapped address', ['10.0.0.0/8'], '::ffff:10.9.9.9'],
    ['loopback', ['loopback'], '::1'],
    ['private addresses', ['uniquelocal'], '172.31.0.1'],
    ['an IPv6 range', ['2001:db8::/32'], '2001:db8::7'],
  ])('is the word of a trusted proxy: %s', (_name, proxies, remoteAddress) => {
    expect(originSeen(proxies, PROXY, { remoteAddress })).toBe('https://larder.example');
  });

  it('is read from Forwarded in front of X-Forwarded-*, and the last word counts', () => {
    expect(originSeen(true, { ...PROXY, forwarded: 'for=1.2.3.4;proto=HTTPS;host="api.example:8443"' })).toBe(
      'https://api.example:8443',
    );
    expect(
      originSeen(true, { forwarded: 'proto=http;host=evil.example, for="[::1]";Host=good.example; proto=https' }),
    ).toBe('https://good.example');
    expect(originSeen(true, { 'x-forwarded-proto': 'http, https' })).toBe('https://inner:8081');
  });

  it('ignores what is no scheme and no host', () => {
    for (const host of ['evil.example/path', 'user@evil', '"', 'a b', ''])
      expect(originSeen(true, { 'x-forwarded-host': host, 'x-forwarded-proto': 'javascript' })).toBe(
        'http://inner:8081',
      );
  });
});
