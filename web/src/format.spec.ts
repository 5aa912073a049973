import { bytes, countdown, duration, percent, rate, roughly } from './format';

it.each([
  [0.214, '0.21 ms'],
  [12.34, '12.3 ms'],
  [231, '231 ms'],
  [1204, '1.20 s'],
])('%d ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

it.each([
  [3599.2, '1:00:00'],
  [3588, '59:48'],
  [59.01, '1:00'],
  [0.2, '0:01'],
  [-5, '0:00'],
  [3723, '1:02:03'],
  [180_000, '2 d 2 h'],
])('a countdown of %d s shows %s', (seconds, text) => {
  expect(countdown(seconds)).toBe(text);
});

it.each([
  [999, '999 ms'],
  [90_000, '90 s'],
  [3_600_000, '60 min'],
  [86_400_000, '24 h'],
  [864_000_000, '10 d'],
])('%d ms are roughly %s', (ms, text) => {
  expect(roughly(ms)).toBe(text);
});

it('scales bytes, shares and rates', () => {
  expect([bytes(31), bytes(1536), bytes(67_108_864)]).toEqual(['31 B', '1.5 KiB', '64 MiB']);
  expect([percent(0), percent(0.9876), percent(1)]).toEqual(['0 %', '98.8 %', '100 %']);
  expect([rate(0.4), rate(3), rate(1234.5)]).toEqual(['0.4', '3', '1,235']);
});
