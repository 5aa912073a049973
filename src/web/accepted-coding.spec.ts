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
])('of all codings, %p means %s', (field, expected) => {
  expect(acceptedCoding(field, ALL)).toBe(expected);
});

it('sends plain bytes of a file that has no smaller form', () => {
  expect(acceptedCoding('br, gzip', ['identity'])).toBe('identity');
});
