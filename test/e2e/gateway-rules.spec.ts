import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from '../support/raw-http';
import { ScriptedOrigin, type OriginScript } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask } from './ask';

const RULES = [
  { path: '/long/:name', ttl: 3_600, tags: ['long:{name}'] },
  { path: '/never/*', bypass: true },
  { path: '/short/*', ttl: 0, sie: 0 },
  { path: '/refreshed/*', ttl: 0, swr: 3_600 },
];

describe("the operator's rules", () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  const folder = makeTempFolder('gateway-rules');
  const rulesFile = join(folder, 'rules.json');

  const counting =
    (control: string): OriginScript =>
    (response, _hit, count) =>
      response.setHeader('cache-control', control).setHeader('etag', `"${count}"`).end(`answer ${count}`);
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, body, headers: answered } = await request(`${service.url}/github${path}`, { headers });
    return { status, text: body.toString(), cacheStatus: String(answered['cache-status']) };
  };

  beforeAll(async () => {
    writeFileSync(rulesFile, JSON.stringify(RULES));
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: origin.url, GITHUB_RULES_FILE: rulesFile, ADMIN_TOKEN: 'test-admin-token' },
    });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
    removeTempFolder(folder);
  });

  it('lengthen what the API says', async () => {
    origin.answerBy(counting('public, max-age=0'));
    const [first, second] = [await get('/long/a'), await get('/long/a')];
    expect([first.text, second.text]).toEqual(['answer 1', 'answer 1']);
    expect(second.cacheStatus).toMatch(/hit; ttl=3[56]\d\d;/);
  });

  it('shorten it', async () => {
    origin.answerBy(counting('public, max-age=600'));
    expect([(await get('/short/a')).text, (await get('/short/a')).text]).toEqual(['answer 1', 'answer 2']);
  });

  it('pass by the cache', async () => {
    origin.answerBy(counting('public, max-age=600'));
    expect([(await get('/never/a')).text, (await get('/never/a')).text]).toEqual(['answer 1', 'answer 2']);
    expect((await get('/never/a')).cacheStatus).toContain('fwd=bypass');
  });

  it('answer stale at once, and refresh in the background', async () => {
    origin.answerBy(counting('public, max-age=600'));
    await get('/refreshed/a');
    const second = await get('/refreshed/a');
    expect([second.text, second.cacheStatus]).toEqual(['answer 1', expect.stringContaining('HIT_STALE')]);
    await waitUntil(() => origin.hits.length === 2, { what: 'the refresh' });
  });

  it('add tags to invalidate by', async () => {
    origin.answerBy(counting('public, max-age=600'));
    expect((await get('/long/Tagged')).text).toBe('answer 1');
    const { json } = await ask(service, '/admin/cache/tags/long:tagged', { method: 'DELETE', headers: ADMIN });
    expect(json['invalidated']).toBeGreaterThan(0);
    expect((await get('/long/Tagged')).text).toBe('answer 2');
  });

  it.each(['no-store', 'private, max-age=600', 'no-cache', 'private="set-cookie", no-store'])(
    'never keep what the API calls "%s"',
    async (control) => {
      origin.answerBy(counting(control));
      const path = `/long/${encodeURIComponent(control)}`;
      expect([(await get(path)).text, (await get(path)).text]).toEqual(['answer 1', 'answer 2']);
    },
  );

  it("never give a caller's answer to another", async () => {
    origin.answerBy(counting('private, max-age=600'));
    const callers = [{ authorization: 'Bearer one' }, { authorization: 'Bearer two' }, {}] as Record<string, string>[];
    const texts = [];
    for (const headers of [...callers, ...callers.slice(0, 2)]) texts.push((await get('/long/mine', headers)).text);
    expect(texts).toEqual(['answer 1', 'answer 2', 'answer 3', 'answer 1', 'answer 2']);
  });

  it('serve what is stale for anonymous callers too while the API is down, unless they say no', async () => {
    const failing: OriginScript = (response) => {
      response.statusCode = 503;
      response.end('down');
    };
    origin.answerBy(counting('public, max-age=0, s-maxage=0'));
    await Promise.all([get('/plain'), get('/short/b')]);
    origin.answerBy(failing);
    expect(await get('/plain')).toMatchObject({ status: 200, cacheStatus: expect.stringContaining('STALE_ON_ERROR') });
    expect((await get('/short/b')).status).toBe(503);
  });

  it('stop the start where they are wrong, by name and line', async () => {
    const wrong = join(folder, 'wrong.json');
    writeFileSync(wrong, JSON.stringify([RULES[0], { path: '/x', ttl: 'long' }]));
    const started = ServiceProcess.start({ env: { GITHUB_API_URL: origin.url, GITHUB_RULES_FILE: wrong } });
    await expect(started).rejects.toThrow(/GITHUB_RULES_FILE in rule 2, ttl: .*Example: GITHUB_RULES_FILE=/);
  });
});
