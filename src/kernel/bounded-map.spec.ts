import { BoundedMap } from './bounded-map';

it('a bounded map makes a value once, and is emptied by the key that it has no room for', () => {
  const made: string[] = [];
  const map = new BoundedMap<string, string>(2);
  const get = (key: string): string => map.getOrMake(key, (name) => (made.push(name), name.toUpperCase()));
  expect(['a', 'b', 'a', 'b'].map(get)).toEqual(['A', 'B', 'A', 'B']);
  map.set('a', 'again');
  expect([...map.keys()]).toEqual(['a', 'b']);
  get('c');
  expect([...map.keys()]).toEqual(['c']);
  expect(made).toEqual(['a', 'b', 'c']);
});
