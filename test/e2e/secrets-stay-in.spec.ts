import { createHmac } from 'node:crypto';
import { GithubSimulator } from '../../simulator';
import { everythingLogged } from '../support/everything-logged';
import { EventClient } from '../support/event-client';
import { request, type HttpRequestOptions } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';

/** A different token in each place, all with this in them. */
const MARK = 'N3v3rT0ld';
const token = (place: string): string => `${MARK}${place}`;
const ADMIN = token('admin');
const HOOK = token('hook');
const REDIS = token('redis');

describe('a token', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let service: ServiceProcess;
  const answers: string[] = [];

  const send = async (path: string, options: HttpRequestOptions = {}): Promise<number> => {
    const { status, rawHeaders, body } = await request(`${service.url}${path}`, options);
    answers.push(
      `${path.replaceAll(MARK, '')} ${status} ${rawHeaders.join(' ')} ${status >= 400 ? body.toString() : ''}`,
    );
    return status;
  };
  const admin = { authorization: `Bearer ${ADMIN}` };

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    redis = await RedisProcess.start({ password: REDIS });
    service = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: github.url, LOG_LEVEL: 'trace', ADMIN_TOKEN: ADMIN, GITHUB_WEBHOOK_SECRET: HOOK },
        ...{ REDIS_ENDPOINT_URI: `redis://default:${REDIS}@127.0.0.1:${redis.port}`, GITHUB_TOKEN: token('own') },
        CREDENTIAL_SECRET: token('credential'),
      },
    });
    await service.untilRedisIsUp();
  });
  afterAll(async () => {
    await service.stop();
    await redis.stop();
    await github.stop();
  });

  it('is in no log line, metric, key, value, event or answer, wherever it was sent', async () => {
    const events = await EventClient.open(`${service.url}/events`, admin);
    const basic = (place: string): string => `Basic ${Buffer.from(`x:${token(place)}`).toString('base64')}`;
    const json = { 'content-type': 'application/json' };
    // In the header, of reads, writes and failures.
    for (const authorization of [
      `Bearer ${token('bearer')}`,
      `token ${token('scheme')}`,
      basic('basic'),
      token('bare'),
    ]) {
      await send('/github/users/redis', { headers: { authorization } });
      await send('/github/repos/redis/redis/issues', {
        method: 'POST',
        headers: { authorization, ...json },
        body: '{}',
      });
      await send('/repos/redis', { headers: { authorization } });
      await send('/admin/cache/entries', { headers: { authorization } });
      await send('/events', { headers: { authorization } });
    }
    await send('/github/users/redis', { headers: { cookie: `session=${token('cookie')}`, 'x-api-key': token('key') } });
    github.faults.next(1, { kind: 'reset' });
    await send('/github/users/failing', { headers: { authorization: `Bearer ${token('failing')}` } });
    // In the URL, where it must not be.
    expect(await send(`/github/users/redis?access_token=${token('query')}`)).toBe(400);
    expect(await send(`/github/users/ghp_${MARK}${'a'.repeat(36)}`)).toBe(400);
    await send(`/admin/cache/entries?token=${token('adminquery')}`, { headers: admin });
    await send(`/nowhere?token=${token('nowhere')}`);
    // In the body.
    await send('/github/graphql', {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ query: `{ viewer(token: "${token('graphql')}") }` }),
    });
    await send('/admin/cache/invalidations', {
      method: 'POST',
      headers: { ...admin, ...json },
      body: `{"keys":["a"],"token":"${token('body')}"}`,
    });
    await send('/admin/cache/invalidations', {
      method: 'POST',
      headers: { ...admin, ...json },
      body: `{"token": ${token('broken')}`,
    });
    // Webhooks: signed, unsigned, and with the secret itself for a signature.
    const body = JSON.stringify({ zen: 'x', installation: { access_token: token('payload') } });
    const signature = `sha256=${createHmac('sha256', HOOK).update(body).digest('hex')}`;
    for (const [at, given] of [signature, `sha256=${token('signature')}`, HOOK].entries()) {
      const fields = { 'x-github-event': 'ping', 'x-github-delivery': `delivery-${at}`, 'x-hub-signature-256': given };
      await send('/webhooks/github', { method: 'POST', headers: { ...json, ...fields }, body });
    }
    // The admin's, right and wrong, and what it may see.
    await send('/admin/cache/entries', { headers: { authorization: `Bearer ${token('wrong')}` } });
    await send('/admin/cache/accounts/redis', { method: 'DELETE', headers: admin });
    for (const path of [
      '/admin/cache/entries',
      '/admin/audit',
      '/github-budget',
      '/health',
      '/page.json',
      '/docs-json',
      '/metrics',
    ]) {
      const { status, body } = await request(`${service.url}${path}`, { headers: admin });
      expect([path, status]).toEqual([path, 200]);
      answers.push(body.toString());
    }

    const keys = (await redis.command('KEYS', '*')).split('\n');
    expect(keys.length).toBeGreaterThan(5);
    const values = await Promise.all(keys.map((key) => redis.command('DUMP', key)));
    const told = {
      ...{ log: await everythingLogged(service), answers: answers.join('\n'), keys: keys.join('\n') },
      ...{ values: values.join('\n'), events: JSON.stringify(events.events) },
    };
    events.close();
    for (const [where, text] of Object.entries(told)) {
      expect([where, text.length > 100]).toEqual([where, true]);
      expect([where, text.match(new RegExp(`.{0,80}${MARK}.{0,40}`))?.[0]]).toEqual([where, undefined]);
      // Nor as it was encoded.
      expect([where, text.includes(Buffer.from(`x:${token('basic')}`).toString('base64'))]).toEqual([where, false]);
    }
    // What the log says of the settings at the start.
    expect(told.log).toMatch(/"ADMIN_TOKEN":"\(set\)"/);
    expect(told.log).toContain(`"REDIS_ENDPOINT_URI":"redis://default:(set)@127.0.0.1:${redis.port}"`);
  });

  it('may be sent as an id of a request, and is then an id: it comes back and is in the log', async () => {
    const { headers } = await request(`${service.url}/repos/redis`, { headers: { 'x-request-id': 'trace-77' } });
    expect(headers['x-request-id']).toBe('trace-77');
    expect(await everythingLogged(service)).toContain('"requestId":"trace-77"');
  });
});

describe('LOG_FORMAT', () => {
  it('pretty has a line for people, with the settings of the start masked', async () => {
    const service = await ServiceProcess.start({
      env: { LOG_FORMAT: 'pretty', ADMIN_TOKEN: ADMIN, GITHUB_API_URL: 'http://127.0.0.1:1' },
    });
    await service.waitForLog(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}\[Larder\] Listening on http/m);
    const log = service.stdout();
    await service.stop();
    expect(log).toMatch(/^ {4}ADMIN_TOKEN=\(set\)/m);
    expect(log).not.toMatch(/^\{/m);
    expect(log).not.toContain(MARK);
  });

  it('auto is JSON where the output is no terminal', async () => {
    const service = await ServiceProcess.start({ env: { ADMIN_TOKEN: ADMIN } });
    await service.waitForLog(/Listening on/);
    for (const line of service.stdout().trim().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
    await service.stop();
  });
});
