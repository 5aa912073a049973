import { millisecondsText } from './milliseconds';

describe('a duration in milliseconds, as text', () => {
  it.each([0, 0.0004, 0.0006, 0.001, 0.0996, 0.5, 0.9996, 1, 1.25, 9.099, 12.3456, 999.9999, 60_000.0104, 1e9 + 0.123])(
    '%d is as toFixed(3)',
    (durationMs) => {
      expect(millisecondsText(durationMs)).toBe(durationMs.toFixed(3));
    },
  );
});
