import { mayMutate, mutationWords } from './graphql-operation';

const body = (request: unknown): Buffer => Buffer.from(JSON.stringify(request));

describe('a GraphQL request', () => {
  it.each<[string, unknown]>([
    ['a query', { query: 'query { viewer { login } }' }],
    ['a shorthand query', { query: '{ viewer { login } }' }],
    ['a field called mutation', { query: '{ mutation { id } }' }],
    ['a query called mutation', { query: 'query mutation { viewer { login } }' }],
    ['mutation in a comment', { query: '# mutation { x }\nquery Q { viewer { login } }' }],
    ['mutation in a string', { query: 'query Q { search(query: "} mutation { a") { n } }' }],
    ['mutation in a block string', { query: 'query Q { search(query: """} mutation { \\""" a""") { n } }' }],
    ['a fragment called mutation', { query: 'query Q { ...mutation } fragment mutation on User { login }' }],
    ['a default value', { query: 'query Q($a: In = {b: [1, {c: 2}]}) @x(y: {z: 1}) { viewer { login } }' }],
    ['an operation beside a mutation', { query: 'query Q { a } mutation M { b }', operationName: 'Q' }],
    ['a batch of queries', [{ query: '{ a }' }, { query: 'query Q { b }' }]],
  ])('that has %s changes nothing', (_what, request) => {
    expect(mayMutate(body(request))).toBe(false);
  });

  it.each<[string, unknown]>([
    ['a mutation', { query: 'mutation { createIssue(input: {}) { issue { id } } }' }],
    ['a mutation with a name and variables', { query: 'mutation M($i: I!) { createIssue(input: $i) { x } }' }],
    ['a mutation right behind a name', { query: 'fragment F on A{b}mutation{c}' }],
    ['a mutation that is chosen', { query: 'query Q { a } mutation M { b }', operationName: 'M' }],
    ['a mutation, and no choice', { query: 'query Q { a } mutation M { b }' }],
    ['a mutation, and a choice that there is not', { query: 'query Q { a } mutation M { b }', operationName: 'X' }],
    ['a mutation in a batch', [{ query: '{ a }' }, { query: 'mutation { b }' }]],
    ['a mutation behind a comment and a comma', { query: ',# x\r\n mutation { b }' }],
    ['no query', { id: 'a-stored-query' }],
    ['a document that ends early', { query: 'query Q { a' }],
    ['a document that is none', { query: 'hello' }],
    ['null', null],
    ['an empty batch entry', [[]]],
  ])('that has %s may change something', (_what, request) => {
    expect(mayMutate(body(request))).toBe(true);
  });

  it.each<[string, unknown, readonly string[] | undefined]>([
    ['its fields', { query: 'mutation M($i: I! = {a: 1}) @d(x: 1) { createIssue(input: $i) { y } }' }, ['createIssue']],
    ['aliases', { query: 'mutation { a: addStar(input: {b: "c"}) { y } d { e } }' }, ['a', 'addStar', 'd']],
    ['fragments', { query: 'mutation { ...F } fragment F on Mutation { a { b } }' }, ['...', 'F']],
    ['the chosen one', { query: 'mutation A { a } mutation B { b }', operationName: 'B' }, ['b']],
    ['all of a batch', [{ query: 'mutation { a }' }, { query: '{ q }' }, { query: 'mutation { b }' }], ['a', 'b']],
    ['nothing, for a stored one', { id: 'x' }, undefined],
  ])('tells of a mutation %s', (_what, request, words) => {
    expect(mutationWords(body(request))).toEqual(words);
  });

  it('that cannot be read may change something', () => {
    expect(mayMutate(undefined)).toBe(true);
    expect(mayMutate(Buffer.from('\x1f\x8b\x08'))).toBe(true);
    expect(mayMutate(Buffer.from(''))).toBe(true);
  });

  it('is read in time that grows with its length alone', () => {
    const hostile = ['"""', '"', '{', '#', '\\"'].map((text) => text.repeat(64_000 / text.length));
    for (const query of hostile) expect(mayMutate(body({ query }))).toBe(true);
  });
});
