import { harmless, logFormatOf, prettyLine } from './log-format';

const terminal = { isTTY: true, hasColors: (): boolean => true };
const line = (more: object): string =>
  prettyLine(JSON.stringify({ level: 'info', time: '2026-11-28T01:02:03.004Z', context: 'Cache', ...more }), false);

describe('the format of the log', () => {
  it.each([
    ['auto', false, terminal, true, true],
    ['auto', true, terminal, false, false],
    ['auto', false, {}, false, false],
    ['json', false, terminal, false, false],
    ['pretty', true, {}, true, false],
    ['pretty', false, { isTTY: true, hasColors: (): boolean => false }, true, false],
  ] as const)(
    '%s, in production %s, to %j is pretty: %s, coloured: %s',
    (setting, production, to, isPretty, hasColours) =>
      expect(logFormatOf(setting, production, to)).toEqual({ isPretty, hasColours }),
  );

  it('has time, level, context, message and fields on a line', () => {
    expect(line({ msg: 'request', outcome: 'HIT', durationMs: 0.2, key: 'a b', failure: undefined })).toBe(
      '01:02:03.004 INFO  [Cache] request outcome=HIT durationMs=0.2 key="a b"\n',
    );
  });

  it('has the members of an object on lines of their own', () => {
    expect(line({ msg: 'Settings', settings: { PORT: '80', TOKEN: '(set)' } })).toBe(
      '01:02:03.004 INFO  [Cache] Settings \n    PORT=80 \n    TOKEN=(set)\n',
    );
  });

  it('lets no text of others look like a line of its own, nor steer the terminal', () => {
    const forged = line({ msg: 'a\n01:02:03.004 ERROR [Cache] forged', key: 'b\n\u001b[2Jc\u202e' });
    expect(forged.split('\n').filter((one) => one.startsWith('01:'))).toHaveLength(1);
    expect(forged).not.toMatch(/[\u001b\u202e]/);
  });

  it('is the same value in JSON, without characters that steer the terminal which shows it', () => {
    const json = `${JSON.stringify({ msg: '\u009b2J\u0085\u007f\u202e\u2028ü', key: '\\u009b' })}\n`;
    expect(harmless(json)).not.toMatch(/[\u007f-\u009f\u202e\u2028]/);
    expect(JSON.parse(harmless(json))).toEqual(JSON.parse(json));
    expect(harmless(json)).toMatch(/\}\n$/);
  });

  it('is coloured by level', () => {
    expect(prettyLine('{"level":"error","time":"2026-11-28T01:02:03.004Z","msg":"x"}', true)).toContain(
      '\u001b[31mERROR\u001b[0m x',
    );
  });
});
