import { GithubSimulator } from '../../simulator';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { giveToken, TestBrowser, textOf } from './browser';
import type { Page } from 'playwright-core';

const TOKEN = 'token-of-the-browser-test';

describe('Try it', () => {
  let simulator: GithubSimulator;
  let service: ServiceProcess;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    simulator = await GithubSimulator.start({ latencyMs: 120 });
    [service, browser] = await Promise.all([
      ServiceProcess.start({
        env: { GITHUB_API_URL: simulator.url, ADMIN_TOKEN: TOKEN, CACHE_TTL_SECONDS: '600', LOG_LEVEL: 'info' },
      }),
      TestBrowser.start(),
    ]);
  });
  afterAll(async () => {
    await browser.stop();
    await service.stop();
    await simulator.stop();
  });
  afterEach(async () => {
    await page.context().close();
    expect(browser.complaints).toEqual([]);
  });

  const ask = async (button: string): Promise<string> => {
    const rows = page.locator('[data-test="history"] tbody tr');
    const before = await rows.count();
    const response = page.waitForResponse(/\/repos\/|\/github\//);
    await page.getByRole('button', { name: button, exact: true }).click();
    expect((await response).url()).toContain('redis');
    await rows.nth(before).waitFor(); // a hit may be shown before a sign that it is waited for
    return textOf(page, 'verdict');
  };

  it('shows a miss, then a hit, an invalidation and a miss again', async () => {
    page = await browser.open(service.url);
    expect(await ask('Ask')).toBe('From the API');
    expect(await textOf(page, 'repositories')).toBe('155');
    expect(await ask('Ask again')).toBe('From the cache');
    expect(await textOf(page, 'sentence')).toContain('memory (L1) had an answer');

    simulator.setAccount('redis', { publicRepos: 156 });
    await page.getByRole('button', { name: 'Invalidate' }).click();
    await giveToken(page, 'not-the-token');
    await page.getByText('The service did not accept this token.').waitFor();
    await giveToken(page, TOKEN);
    await page.getByText('redis is invalidated. The next request asks GitHub again.').first().waitFor();

    expect(await textOf(page, 'verdict')).toBe('Invalidated');
    expect(await page.locator('[data-test="countdown"]').count()).toBe(0);
    await page.getByRole('img', { name: /^Latency of the last 2 requests: .*; 1 invalidation\.$/ }).waitFor();

    expect(await ask('Ask again')).toBe('From the API');
    expect(await textOf(page, 'repositories')).toBe('156');
    const marks = await page.locator('[data-test="history"] tbody tr').allInnerTexts();
    expect(marks.map((row) => /From the (?:API|cache)|Invalidated/.exec(row)?.[0])).toEqual([
      'From the API',
      'Invalidated',
      'From the cache',
      'From the API',
    ]);

    // The token is asked for once, and is nowhere but in the page's memory.
    await page.getByRole('button', { name: 'Invalidate' }).click();
    await page.getByText('redis is invalidated').last().waitFor();
    const kept = await page.evaluate<string>(
      'JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie, document.body.innerHTML])',
    );
    expect(kept).not.toContain(TOKEN);
    expect(service.stdout()).not.toContain(TOKEN);
  });

  it('bypasses the cache through the gateway, and shows what was sent', async () => {
    page = await browser.open(service.url);
    await ask('Ask');
    const before = simulator.requests.count();
    await ask('Bypass the cache');
    expect(simulator.requests.count()).toBe(before + 1);
    expect(await textOf(page, 'sentence')).toMatch(/^You asked past the cache\./);
    await page.getByRole('button', { name: 'What was sent and received' }).click();
    expect(await page.getByLabel('The request as it was sent').innerText()).toMatch(
      /^GET \/github\/users\/redis\nCache-Control: no-cache/,
    );
    await page.getByRole('tab', { name: 'Octokit' }).click();
    expect(await page.getByLabel('The request as Octokit').innerText()).toContain(
      `baseUrl: '${service.url.replace('localhost', '127.0.0.1')}/github'`,
    );
  });

  it('says what is wrong with a name, and what to do', async () => {
    page = await browser.open(service.url);
    await page.getByLabel('GitHub account').fill('no--such--name');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByRole('alert').first().waitFor();
    expect(await page.getByRole('alert').first().innerText()).toContain('Not an account name');
  });

  it('stops waiting when the wait is cancelled', async () => {
    page = await browser.open(service.url);
    const release = simulator.hold();
    await page.getByLabel('GitHub account').fill('slow-one');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('You stopped waiting.').waitFor();
    release();
    expect(await page.locator('.wait').count()).toBe(0);
  });
});

describe('Try it, with an hour that lasts two seconds', () => {
  it('counts down to the expiry, asks again, and goes on with stale answers while the API is away', async () => {
    const simulator = await GithubSimulator.start({ latencyMs: 20 });
    const browser = await TestBrowser.start();
    const service = await ServiceProcess.start({
      env: { GITHUB_API_URL: simulator.url, CACHE_TTL_SECONDS: '2', UPSTREAM_BREAKER_FAILURES: '1' },
    });
    try {
      const page = await browser.open(service.url);
      const verdict = async (button: string): Promise<string> => {
        await page.getByRole('button', { name: button, exact: true }).click();
        await page.locator('.wait').waitFor({ state: 'detached' });
        return textOf(page, 'verdict');
      };
      expect(await verdict('Ask')).toBe('From the API');
      await waitUntil(
        async () => {
          if (await page.locator('[data-test="countdown"]').isVisible()) return true;
          await verdict('Ask again'); // a slow machine shows the answer when its two seconds are over
          return false;
        },
        { what: 'a countdown' },
      );
      await page.locator('[data-test="expired"]').waitFor();
      await waitUntil(async () => (await verdict('Ask again')) === 'Checked with the API', {
        what: 'the expired answer to be checked with the API',
      });

      await simulator.stop();
      await page.locator('[data-test="expired"]').waitFor();
      await waitUntil(async () => (await verdict('Ask again')) === 'From the cache, the API failed', {
        what: 'a stale answer',
      });
      expect(await textOf(page, 'repositories')).toBe('155');
      expect(await textOf(page, 'sentence')).toMatch(/^The API (?:could not be reached|is not being asked)/);
      expect(browser.complaints).toEqual([]);
    } finally {
      await browser.stop();
      await service.stop();
      await simulator.stop();
    }
  });
});
