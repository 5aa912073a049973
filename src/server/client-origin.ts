import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TrustedProxies } from './trusted-proxies';

/** As in the `Host` field (RFC 9110 §7.2): a name or an address, and a port. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i;
const SCHEME = /^https?$/i;
const PARAMETER = /(?:^|;)\s*(proto|host)\s*=\s*(?:"([^"\\]*)"|([^\s;,"]+))/gi;

type NamedRange = readonly [address: string, prefix: number];
const NAMED_RANGES: Readonly<Record<string, readonly NamedRange[]>> = {
  loopback: [
    ['127.0.0.0', 8],
    ['::1', 128],
  ],
  linklocal: [
    ['169.254.0.0', 16],
    ['fe80::', 10],
  ],
  uniquelocal: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['fc00::', 7],
  ],
};

/** The scheme and the host by which a client calls the service, such as `https://larder.example`. */
export type ClientOrigin = (request: IncomingMessage) => string | undefined;

/**
 * The client's own words for the service, where it speaks to it directly; those that a trusted proxy hands on, where it does not: `Forwarded`
 * (RFC 7239 §4), else `X-Forwarded-Proto` and `X-Forwarded-Host`. The last word counts: it is that of the proxy that is connected.
 *
 * @returns a function that returns undefined for a client of HTTP/1.0 that names no host
 */
export function clientOrigin(proxies: TrustedProxies): ClientOrigin {
  const isTrusted = trustOf(proxies);
  return (request) => {
    const { host = '' } = request.headers;
    const { encrypted, remoteAddress } = request.socket as Partial<TLSSocket>;
    const scheme = encrypted === true ? 'https' : 'http';
    if (!isTrusted(remoteAddress ?? '')) return host === '' ? undefined : `${scheme}://${host}`;
    const said = forwarded(request);
    const named = said.host ?? host;
    return named === '' ? undefined : `${said.scheme ?? scheme}://${named}`;
  };
}

/** Whether the client that is connected from an address is a trusted proxy. */
export function trustOf(proxies: TrustedProxies): (address: string) => boolean {
  if (typeof proxies === 'boolean') return () => proxies;
  if (typeof proxies === 'number') return () => proxies > 0; // the connected client is the first hop
  const list = new BlockList();
  const add = ([address, prefix]: NamedRange): void => list.addSubnet(address, prefix, familyOf(address));
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    if (Object.hasOwn(NAMED_RANGES, proxy)) NAMED_RANGES[proxy]?.forEach(add);
    else add([address, bits === undefined ? (isIPv6(address) ? 128 : 32) : Number(bits)]);
  }
  return (address) => {
    const plain = address.startsWith('::ffff:') && !isIPv6(address.slice(7)) ? address.slice(7) : address;
    return plain !== '' && list.check(plain, familyOf(plain));
  };
}

interface Said {
  readonly scheme: string | undefined;
  readonly host: string | undefined;
}

function forwarded({ headers }: IncomingMessage): Said {
  const standard = lastOf(headers.forwarded);
  if (standard !== undefined) {
    const said = new Map<string, string>();
    for (const [, name = '', quoted, plain = ''] of standard.matchAll(PARAMETER))
      said.set(name.toLowerCase(), quoted ?? plain);
    return { scheme: valid(said.get('proto'), SCHEME)?.toLowerCase(), host: valid(said.get('host'), HOST) };
  }
  const [proto, host] = ['x-forwarded-proto', 'x-forwarded-host'].map((name) => lastOf(headers[name]));
  return { scheme: valid(proto, SCHEME)?.toLowerCase(), host: valid(host, HOST) };
}

/** The last member of a list; a quoted string has no separating comma, and does not match. */
function lastOf(field: string | readonly string[] | undefined): string | undefined {
  const text = typeof field === 'object' ? field.join(',') : field;
  return text?.slice(text.lastIndexOf(',') + 1).trim();
}

function valid(value: string | undefined, form: RegExp): string | undefined {
  return value !== undefined && form.test(value) ? value : undefined;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
