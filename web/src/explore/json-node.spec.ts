import { childrenOf, nodeOf, summaryOf } from './json-node';

it('opens a list of 10,000 in groups of a hundred', () => {
  const groups = childrenOf(
    nodeOf(
      '',
      Array.from({ length: 10_000 }, (_, at) => at),
      '',
    ),
  )!;
  expect(groups).toHaveLength(100);
  expect(groups[1]?.name).toBe('100 … 199');
  expect(childrenOf(groups[1]!)?.[0]).toMatchObject({ name: '100', value: 100, path: '/100' });
});

it('gives each node a path of its own, and the same nodes each time', () => {
  const root = nodeOf('', { a: [{ b: 1 }], 'a/0': 2 }, '');
  const [a] = childrenOf(root)!;
  expect(childrenOf(root)).toBe(childrenOf(root));
  expect([childrenOf(a!)?.[0]?.path, childrenOf(root)?.[1]?.path]).toEqual(['/a/0', '/a~10']);
});

it('shows values as JSON has them, and what cannot be opened as closed', () => {
  expect(['<b>', 1.5, true, null].map((value) => summaryOf(nodeOf('x', value, '/x')))).toEqual([
    '"<b>"',
    '1.5',
    'true',
    'null',
  ]);
  expect(childrenOf(nodeOf('x', [], '/x'))).toBeUndefined();
  expect(summaryOf(nodeOf('x', {}, '/x'))).toBe('0 members');
});
