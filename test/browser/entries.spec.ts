import type { Page } from 'playwright-core';
import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { giveToken, TestBrowser, textOf } from './browser';

const TOKEN = 'token-of-the-browser-test';
const COPIES = 20_000;

/** As many copies of one entry, under keys of their own. */
const COPY = `
  local value, ttl = redis.call('DUMP', KEYS[1]), redis.call('PTTL', KEYS[1])
  for number = 1, tonumber(ARGV[1]) do
    local key = string.gsub(KEYS[1], '/users/redis', string.format('/users/account-%05d', number))
    redis.call('RESTORE', key, ttl, value)
  end`;

describe('Entries, of 20,000', () => {
  let redis: RedisProcess;
  let simulator: GithubSimulator;
  let service: ServiceProcess;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    [redis, simulator, browser] = await Promise.all([
      RedisProcess.start(),
      GithubSimulator.start({ latencyMs: 0 }),
      TestBrowser.start(),
    ]);
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: simulator.url, ADMIN_TOKEN: TOKEN, REDIS_ENDPOINT_URI: redis.uri },
    });
    const keysOf = async (account: string) =>
      (await redis.query('KEYS', `larder:*:e:{github:-:/users/${account}}`)) as string[];
    // A store that is slow for a moment keeps nothing: the answer is then loaded again.
    for (const account of ['redis', 'google'])
      await waitUntil(
        async () => {
          await request(`${service.url}/repos/${account}`);
          return (await keysOf(account)).length > 0;
        },
        { what: `${account} to be stored` },
      );
    const [stored = ''] = await keysOf('redis');
    await redis.command('EVAL', COPY, '1', stored, String(COPIES));
    page = await browser.open(`${service.url}/#/entries`);
  });
  afterAll(async () => {
    await browser.stop();
    await service.stop();
    await redis.stop();
    await simulator.stop();
    expect(browser.complaints).toEqual([]);
  });

  const rows = () => page.locator('[data-test="entries"] tbody tr');
  const firstKey = () => rows().first().locator('th').innerText();
  const search = async (label: string, value: string): Promise<void> => {
    await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByRole('button', { name: 'Search' }).click();
  };

  it('asks for the token, then shows a page at a time, forwards and back', async () => {
    await page.getByRole('button', { name: 'Enter the admin token' }).click();
    await giveToken(page, TOKEN);
    await rows().first().waitFor();
    expect(await rows().count()).toBeLessThan(300);
    const first = await firstKey();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.locator('[data-test="page"]', { hasText: 'Page 2:' }).waitFor();
    expect(await firstKey()).not.toBe(first);
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.locator('[data-test="page"]', { hasText: 'Page 1:' }).waitFor();
    expect(await firstKey()).toBe(first);
  });

  it('finds one among all of them by its key', async () => {
    await search('Key', 'account-17042');
    await waitUntil(async () => (await rows().count()) === 1, { what: 'the one entry' });
    expect(await rows().first().innerText()).toContain('github:-:/users/account-17042');
  });

  it('says so when nothing fits', async () => {
    await search('Key', 'no-such-account');
    await page.getByRole('heading', { name: 'Nothing here' }).waitFor();
  });

  it('shows one entry with its tags, and purges it after a count and a confirmation', async () => {
    await search('Key', 'github:-:/users/google*');
    await page.getByRole('button', { name: 'github:-:/users/google', exact: true }).click();
    const entry = page.getByRole('dialog', { name: 'github:-:/users/google' });
    await entry.getByText('account:google').waitFor();
    await entry.getByRole('tab', { name: 'Variants' }).click();
    await entry.getByRole('button', { name: /\|repos$/ }).click();
    await page
      .getByRole('dialog', { name: /\|repos$/ })
      .getByRole('tab', { name: 'Body' })
      .click();
    await page.getByRole('treeitem', { name: /^repos/ }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'github:-:/users/google', exact: true }).click();
    await entry.getByRole('button', { name: 'Purge…', exact: true }).click();

    const dialog = page.getByRole('dialog', { name: 'Purge' });
    expect(await dialog.getByLabel('Which').inputValue()).toBe('github:-:/users/google');
    await dialog.getByRole('button', { name: 'Count first' }).click();
    await page.getByRole('heading', { name: 'Are you sure?' }).waitFor();
    expect(await textOf(page, 'purge-question')).toContain('This removes the key github:-:/users/google');
    await page.getByRole('button', { name: 'Purge', exact: true }).click();
    await page
      .getByText(/^Purged: \d+ entr/)
      .first()
      .waitFor();
    const row = page.getByRole('button', { name: 'github:-:/users/google', exact: true });
    await row.waitFor({ state: 'detached' });

    const { headers } = await request(`${service.url}/repos/google`);
    expect(headers['x-cache']).toBe('MISS');
  });

  it('lists the purge in the audit trail', async () => {
    await page.getByRole('tab', { name: 'Audit trail' }).click();
    await page.locator('[data-test="audit"] tbody tr', { hasText: 'github:-:/users/google' }).waitFor();
  });
});
