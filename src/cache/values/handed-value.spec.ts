import { isPlainData } from './handed-value';

class Rows extends Array<number> {}

describe('isPlainData', () => {
  it.each([[[]], [[1, 'a', null, { b: [] }]], [{ a: undefined }], ['text'], [null]])('is true of %j', (value) => {
    expect(isPlainData(value)).toBe(true);
  });

  it.each([
    ['an array with a property of its own', Object.assign([1], { total: 1 })],
    ['an array with a property in the place of a hole', Object.assign(new Array<number>(1), { total: 1 })],
    ['an array with a hole', new Array<number>(1)],
    ['an array with undefined', [undefined]],
    ['an array of a class of its own', new Rows()],
    ['an array with a symbol', Object.assign([1], { [Symbol('a')]: 1 })],
    ['an array that says its own JSON', Object.defineProperty([1], 'toJSON', { value: () => 'x' })],
    ['one of these further in', { rows: [Object.assign([1], { total: 1 })] }],
    ['a date', new Date()],
    ['bytes', Buffer.from('a')],
    ['minus zero', -0],
  ])('is false of what JSON would change: %s', (_what, value) => {
    expect(isPlainData(value)).toBe(false);
  });
});
