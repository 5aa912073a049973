import { addressOf, networkOf } from './network';

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:DB8::1', '2001:db8:0:0::/64'],
  ['1::2:3:4:5:6', '1:0:0:2::/64'],
  ['::1:2:3:4:5:6:7', '0:1:2:3::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['192.0.2.1:5000', '192.0.2.1'],
  ['[2001:db8:1:2::9]:5000', '2001:db8:1:2::/64'],
  ['[::ffff:192.0.2.1]', '192.0.2.1'],
  ['', ''],
  ['not an address', 'unknown'],
  ['_hidden', 'unknown'],
  ['1.2.3', 'unknown'],
  ['<script>', 'unknown'],
  ['12:30', 'unknown'],
  [`${'1:'.repeat(50)}1`, 'unknown'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

it('an address is shown without its port, and as unknown where it is none', () => {
  expect(addressOf('[2001:db8::1]:5000')).toBe('2001:db8::1');
  expect(addressOf('\u001b[2Jbuy now')).toBe('unknown');
});
