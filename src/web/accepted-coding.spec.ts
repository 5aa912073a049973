import { acceptedCoding, type FileCoding } from './accepted-coding';

const ALL: FileCoding[] = ['br', 'gzip', 'identity'];

it.each<[string | undefined, FileCoding]>([
  [undefined, 'identity'],
  ['', 'identity'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0.5, gzip;q=0.8', 'gzip'],
  ['*', 'br'],
  ['br;q=0, *;q=0.1', 'gzip'],
  ['identity', 'identity'],
  ['gzip;q=nonsense', 'identity'],
  ['GZIP', 'gzip'],
  ['identity, gzip;q=0.5', 'identity'],
  ['gzip;q=0.5, identity;q=0.8, br;q=0.7', 'identity'],
  ['gzip;q=0.5, identity;q=0.5', 'gzip'],
  ['identity;q=0.2, *;q=0.1', 'identity'],
  ['identity;q=0.5, *;q=0', 'identity'],
  ['identity;q=0, gzip;q=0.1', 'gzip'],
  ['identity;q=0, br;q=0, *;q=0.3', 'gzip'],
  ['*;q=0', 'identity'],
  ['identity;q=0', 'identity'],
])('of all codings, %p means %s', (field, expected) => {
  expect(acceptedCoding(field, ALL)).toBe(expected);
});

it('sends the form that there is, though plain bytes have less weight', () => {
  expect(acceptedCoding('gzip, identity;q=0.1', ['br', 'identity'])).toBe('identity');
  expect(acceptedCoding('br, identity;q=0.1', ['br', 'identity'])).toBe('br');
});

it('sends plain bytes of a file that has no smaller form', () => {
  expect(acceptedCoding('br, gzip', ['identity'])).toBe('identity');
});
