import { execFileSync } from 'node:child_process';
import type { Sent } from './http';
import { snippetsOf } from './snippets';

const SENT: Sent = {
  method: 'GET',
  path: "/github/search/users?q=it's",
  headers: [['Cache-Control', 'no-cache']],
};
const textOf = (name: string, sent = SENT) =>
  snippetsOf(sent, 'http://localhost:8081', '/github').find((snippet) => snippet.name === name)?.text;

it('writes a curl command that a shell takes apart into the same words', () => {
  const words = execFileSync('sh', ['-c', `curl() { printf '%s\\n' "$@"; }; ${textOf('curl')!}`], { encoding: 'utf8' });
  expect(words.trim().split('\n')).toEqual([
    ...['-i', "http://localhost:8081/github/search/users?q=it's", '-H', 'Cache-Control: no-cache'],
  ]);
});

it('writes a fetch that sends the same', () => {
  const source = textOf('fetch')!
    .split('\n')
    .slice(0, -2)
    .join('\n')
    .replace('const response = await fetch', 'return take');
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- runs what a reader would paste
  expect(new Function('take', source)((...given: unknown[]) => given)).toEqual([
    ...["http://localhost:8081/github/search/users?q=it's", { headers: { 'Cache-Control': 'no-cache' } }],
  ]);
});

it('writes Octokit’s way for paths of the gateway, and only for them', () => {
  expect(textOf('Octokit')).toContain(String.raw`octokit.request('GET /search/users?q=it\'s'`);
  expect(textOf('Octokit', { ...SENT, path: '/repos/redis' })).toBeUndefined();
});
