import type { HeaderList } from '../../cache';
import { inboundVia, decrementMaxForwards } from './hops';

describe('Via (RFC 9110 §7.6.3)', () => {
  const received: HeaderList = [
    ['via', '1.0 fred, 1.1 p.example.net (a "b, c")'],
    ['accept', '*/*'],
    ['via', 'HTTP/1.1 last'],
  ];

  it('keeps the hops of a request that is its client’s own', () => {
    expect(inboundVia(received, false)).toEqual([
      'via',
      '1.0 fred, 1.1 p.example.net (a "b, c")',
      'via',
      'HTTP/1.1 last',
    ]);
  });

  it('counts the hops of a request whose answer others may get, without their names', () => {
    expect(inboundVia(received, true)).toEqual(['via', '1.0 unnamed, 1.1 unnamed, HTTP/1.1 unnamed']);
    expect(inboundVia([['via', 'evil, x y, 1.1']], true)).toEqual([]);
    expect(inboundVia([['via', '1.1 a,'.repeat(1_000)]], true)[1]?.split(',')).toHaveLength(10);
  });

  it('is not there for a first hop', () => {
    expect(inboundVia([], true)).toEqual([]);
    expect(inboundVia([], false)).toEqual([]);
  });
});

describe('Max-Forwards (RFC 9110 §7.6.2)', () => {
  it.each([
    ['OPTIONS', '0', undefined],
    ['TRACE', '00', undefined],
    ['OPTIONS', '5', '4'],
    ['TRACE', '1', '0'],
    ['OPTIONS', 'x', 'x'],
    ['POST', '0', '0'],
  ])('of %s is %s, and goes on as %s', (method, value, expected) => {
    const fields: HeaderList = [
      ['a', '1'],
      ['max-forwards', value],
    ];
    const goingOn = decrementMaxForwards(method, fields);
    expect(goingOn).toEqual(expected === undefined ? undefined : [fields[0], ['max-forwards', expected]]);
  });
});
