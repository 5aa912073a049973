const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const IPV6 = /^(?=.*:.*:)[\da-f:.]{2,45}$/i;
/** As some proxies write it into `X-Forwarded-For`: `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
const WITH_PORT = /^(?:\[([\w:.%]+)\](?::\d{1,5})?|(\d+(?:\.\d+){3}):\d{1,5})$/i;
const MAPPED = /^::ffff:(?=\d+\.)/i;
/** The groups of a `/64`, the prefix that a host or a household has (RFC 6177 §2). */
const NETWORK_GROUPS = 4;
const GROUPS = 8;
/** RFC 7239 §6.2: "when the identity of the preceding entity is not known". */
const UNKNOWN = 'unknown';

/** An address without port and zone. Any other text, which a client may have written into `X-Forwarded-For`, is `unknown`. */
export function addressOf(text: string): string {
  const [, inBrackets, beforePort] = WITH_PORT.exec(text) ?? [];
  const plain = (inBrackets ?? beforePort ?? text).replace(MAPPED, '').split('%', 1)[0] ?? '';
  return plain === '' || IPV4.test(plain) || IPV6.test(plain) ? plain : UNKNOWN;
}

/**
 * What limits for each address count: the address in IPv4, its `/64` in IPv6, where one client has more addresses than can be counted. Texts that
 * are not addresses count as one.
 */
export function networkOf(text: string): string {
  const plain = addressOf(text);
  if (!IPV6.test(plain)) return plain;
  const [before = [], behind = []] = plain.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array<string>(Math.max(0, GROUPS - before.length - behind.length)).fill('0');
  const groups = [...before, ...zeros, ...behind].slice(0, NETWORK_GROUPS);
  return `${groups.map((group) => parseInt(group, 16).toString(16)).join(':')}::/64`;
}
