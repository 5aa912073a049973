import type { Page } from 'playwright-core';
import { GithubSimulator } from '../../simulator';
import { freePort } from '../support/free-port';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { giveToken, TestBrowser, textOf } from './browser';

const TOKEN = 'token-of-the-browser-test';

describe('Live', () => {
  let redis: RedisProcess;
  let simulator: GithubSimulator;
  let service: ServiceProcess;
  let browser: TestBrowser;
  let page: Page;
  let env: Record<string, string>;

  beforeAll(async () => {
    [redis, simulator, browser] = await Promise.all([
      RedisProcess.start(),
      GithubSimulator.start({ latencyMs: 20 }),
      TestBrowser.start(),
    ]);
    env = {
      ...{
        GITHUB_API_URL: simulator.url,
        ADMIN_TOKEN: TOKEN,
        REDIS_ENDPOINT_URI: redis.uri,
        REDIS_COMMAND_TIMEOUT_MS: '1000',
      },
      ...{ PORT: String(await freePort()), CREDENTIAL_SECRET: 'secret-of-the-browser-test' },
    };
    service = await ServiceProcess.start({ env });
    page = await browser.open(`${service.url}/#/live`);
    await page.getByRole('heading', { name: 'Replicas' }).waitFor();
  });
  afterAll(async () => {
    await browser.stop();
    await service.stop();
    await redis.stop();
    await simulator.stop();
    expect(browser.complaints).toEqual([]);
  });

  const streamState = (): Promise<string | null> => page.locator('[data-test="stream"]').getAttribute('data-state');
  const shown = async (tile: string): Promise<string> => (await textOf(page, tile)).replaceAll('\n', ' ');

  it('shows the same numbers as /metrics', async () => {
    let hits = 0; // on a busy machine a late reply of Redis makes a second miss
    for (let times = 0; times < 30; times += 1)
      if ((await request(`${service.url}/repos/redis`)).headers['x-cache'] === 'HIT') hits += 1;
    expect(hits).toBeGreaterThan(0);
    const metrics = (await request(`${service.url}/metrics`)).body.toString();
    const countOf = (outcome: string): number => {
      const lines = metrics.matchAll(
        new RegExp(`^larder_requests_total\\{[^}]*outcome="${outcome}"[^}]*\\} (\\d+)$`, 'gm'),
      );
      return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
    };
    expect(countOf('HIT')).toBe(hits);
    const row = (outcome: string) => page.locator('table tr', { hasText: new RegExp(`^\\s*${outcome}`) }).first();
    await waitUntil(async () => (await row('Hit').locator('td').first().innerText()) === String(hits), {
      what: 'the hits of /metrics on the page',
    });
    expect(await row('Miss').locator('td').first().innerText()).toBe(String(countOf('MISS')));
    expect(await shown('saved')).toContain(`Calls saved ${hits} since somebody began to watch (`);
    expect(await shown('store')).toMatch(/^Redis [\d.]+ [KM]iB \d+ keys/);
    expect(await shown('budget')).toMatch(/^Rate limit left 5\d of 60 \(core\), resets in /);
    expect(await shown('breaker')).toBe('API Up circuit breaker closed');
  });

  it('lets those with the token see requests and invalidations as they happen', async () => {
    await page.getByRole('button', { name: 'Show them' }).click();
    await giveToken(page, TOKEN);
    await waitUntil(async () => (await streamState()) === 'open', { what: 'the stream with the token' });
    await waitUntil(
      async () => {
        await request(`${service.url}/repos/redis`);
        return (await page.getByText('github:-:/users/redis').count()) > 0;
      },
      { what: 'a request with its key', pollMs: 100 },
    );
    const headers = { authorization: `Bearer ${TOKEN}` };
    await request(`${service.url}/admin/cache/accounts/redis`, { method: 'DELETE', headers });
    await page.getByText('Purge', { exact: true }).first().waitFor();
  });

  it('shows a frozen Redis, and its return', async () => {
    await redis.freeze();
    await waitUntil(
      async () => {
        await request(`${service.url}/repos/redis`);
        return (await shown('store')).startsWith('Redis Bypassed');
      },
      { what: 'the bypassed Redis on the page', pollMs: 50 },
    );
    expect(await streamState()).toBe('open');
    await redis.thaw();
    await waitUntil(
      async () => {
        await request(`${service.url}/repos/redis`);
        return /^Redis [\d.]+ [KM]iB/.test(await shown('store'));
      },
      { what: 'Redis back on the page', pollMs: 50 },
    );
  });

  it('finds the service again after its restart, by itself', async () => {
    const before = await page.locator('[data-test="requests"]').innerText();
    expect(before).not.toBe('');
    await service.stop();
    await waitUntil(async () => (await streamState()) === 'waiting', { what: 'the page to notice' });
    service = await ServiceProcess.start({ env });
    await waitUntil(async () => (await streamState()) === 'open', { what: 'the page to be connected again' });
    await request(`${service.url}/repos/nodejs`);
    await waitUntil(async () => (await page.locator('table tr', { hasText: /^\s*Miss/ }).count()) > 0, {
      what: 'new figures on the page',
    });
  });
});
