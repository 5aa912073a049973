import { GithubSimulator } from '../../simulator';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask, start } from './ask';

describe.each([
  ['in memory', {}],
  ['in the memory of two workers', { WORKERS: '2' }],
])('one entry %s', (_where, env: Record<string, string>) => {
  let github: GithubSimulator;
  let service: ServiceProcess;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    service = await start(github, env);
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  const admin = (path: string, options: Parameters<typeof ask>[2] = {}) =>
    ask(service, path, { ...options, headers: ADMIN });
  const KEY = encodeURIComponent('github:-:/users/redis');

  it('is shown in full, and its body when it is asked for', async () => {
    await ask(service, '/github/users/redis');
    await ask(service, '/repos/redis');
    const { status, json } = await admin(`/admin/cache/entries/${KEY}`);
    expect([status, json]).toEqual([
      200,
      expect.objectContaining({
        ...{ key: 'github:-:/users/redis', kind: 'index', partition: '-', isFresh: true },
        headers: expect.arrayContaining([['content-type', expect.stringContaining('json')]]),
        why: expect.stringMatching(/^github answered 200 .* it may be served stale .* if the upstream fails\.$/),
        endsAt: expect.stringMatching(/^\d{4}-.*Z$/),
        variants: expect.arrayContaining([expect.objectContaining({ kind: 'variant' })]),
      }),
    ]);
    expect(json['body']).toBeUndefined();
    const { body } = (await admin(`/admin/cache/entries/${KEY}?body=true`)).json as {
      body: { text: string; bytes: number; truncated: boolean };
    };
    expect(JSON.parse(body.text)).toMatchObject({ login: 'redis' });
    expect(body).toMatchObject({ bytes: Buffer.byteLength(body.text), truncated: false });
  });

  it('is shown to 256 KiB of its body, without its coding', async () => {
    await ask(service, '/github/repos/redis/redis/git/blobs/1?bytes=600000');
    const key = encodeURIComponent('github:-:/repos/redis/redis/git/blobs/1?bytes=600000');
    let body = { base64: '', bytes: 0, truncated: false };
    await waitUntil(
      async () => {
        body = (await admin(`/admin/cache/entries/${key}?body=true`)).json['body'] as typeof body;
        return body.truncated;
      },
      { what: 'the entry' },
    );
    expect(Buffer.from(body.base64, 'base64')).toEqual(Buffer.alloc(262_144, 'larder simulator blob '));
    expect(body.bytes).toBeGreaterThan(262_144);
  });

  it('is counted and soft-purged', async () => {
    await ask(service, '/github/users/redis');
    expect((await admin('/admin/cache/count?account=redis')).json).toMatchObject({
      isExact: true,
      count: expect.any(Number),
    });
    expect(Number((await admin('/admin/cache/count?account=redis')).json['count'])).toBeGreaterThan(0);
    await admin('/admin/cache/accounts/redis?mode=stale', { method: 'DELETE' });
    expect((await admin(`/admin/cache/entries/${KEY}`)).json['isFresh']).toBe(false);
    expect((await admin('/admin/audit?limit=1')).json['items']).toEqual([
      expect.objectContaining({ target: 'tag account:redis', mode: 'stale', outcome: 'done' }),
    ]);
  });

  it.each([
    ['/users/ä', '/users/%C3%A4'],
    ['/users/%c3%a4b', '/users/%c3%a4b'],
    ['/users/a b', '/users/a%20b'],
    ['/search/users?q=a|b', '/search/users?q=a|b'],
    ['/search/users?q="x', '/search/users?q=%22x'],
    ['/search/users?q={', '/search/users?q={'],
  ])('is counted and removed by a key or a prefix written as its URL is: %s', async (written, target) => {
    for (const kind of ['key', 'prefix'] as const) {
      const get = () => ask(service, `/github${target}`);
      await get();
      await waitUntil(async () => /; hit/.test((await get()).headers['cache-status'] ?? ''), { what: 'a hit' });
      const name = `github:-:${written}`;
      const count = await admin(`/admin/cache/count?${kind}=${encodeURIComponent(name)}`);
      expect(Number(count.json['count'])).toBeGreaterThan(0);
      const body = JSON.stringify(kind === 'key' ? { keys: [name] } : { prefixes: [name] });
      const headers = { ...ADMIN, 'content-type': 'application/json' };
      const purge = await ask(service, '/admin/cache/invalidations', { method: 'POST', headers, body });
      expect(Number(purge.json['invalidated'])).toBeGreaterThan(0);
      expect((await get()).headers['cache-status']).toMatch(/fwd=/);
    }
  });
});
