import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import '../github/github.definition'; // registers its own
import { allProblems, registerProblems } from './problem-table';

describe('the problems', () => {
  it('are those of docs/reference/errors.md', () => {
    const page = readFileSync(join(__dirname, '../../docs/reference/errors.md'), 'utf8');
    const told = [...page.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| ([^|]+) \| (yes|no) \|/gm)].map(
      ([, code, status, title, retry]) => [
        code,
        { status: Number(status), title: title?.trim(), mayRetry: retry === 'yes' },
      ],
    );
    const table = [...allProblems()].map(([code, { status, title, mayRetry }]) => [code, { status, title, mayRetry }]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(table));
  });

  it('of a feature are none of the service’s own', () => {
    expect(() => registerProblems({ internal: { status: 418, title: 'Teapot', mayRetry: false } })).toThrow(
      'The error code "internal" is the service\'s own',
    );
  });
});
