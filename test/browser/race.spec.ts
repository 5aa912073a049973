import type { Page } from 'playwright-core';
import { GithubSimulator } from '../../simulator';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { TestBrowser, textOf } from './browser';
import { DemoProcess } from './demo-process';

const drawingOf = (page: Page) => page.getByRole('img', { name: /^200 requests in .*: 1 asked GitHub, / });

/** One call and 199 answers from it. Returns how many waited: a slow machine sends the last ones when the answer is there. */
async function expectOneCall(page: Page): Promise<number> {
  const summary = (await drawingOf(page).getAttribute('aria-label')) ?? '';
  const [, waited, hit] =
    /1 asked GitHub, (\d+) waited for its answer, (\d+) came from the cache, 0 failed/.exec(summary) ?? [];
  expect([Number(waited) + Number(hit), Number(waited) > 0, await textOf(page, 'race-waited')]).toEqual([
    199,
    true,
    waited,
  ]);
  return Number(waited);
}

describe('Race', () => {
  let demo: DemoProcess;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    [demo, browser] = await Promise.all([DemoProcess.start('token-of-the-browser-test'), TestBrowser.start()]);
    page = await browser.open(`${demo.url}/#/race`);
  });
  afterAll(async () => {
    await browser.stop();
    await demo.stop();
    expect(browser.complaints).toEqual([]);
  });

  it('draws 200 requests at a cold key: one call, and 199 that wait for it or find its answer', async () => {
    await page.getByRole('button', { name: 'Send 200 requests' }).click();
    await page.locator('[data-test="race"]').waitFor();
    expect(await textOf(page, 'race-calls')).toBe('1');
    const waited = await expectOneCall(page);
    const line = await drawingOf(page).locator('path.waited.runner').getAttribute('d');
    expect(line?.match(/M[\d.]+ [\d.]+H[\d.]+/g)).toHaveLength(waited);
  });

  it('goes on with answers while GitHub is switched off, and checks with it again once it is on', async () => {
    const latest = () => page.locator('.beats li').last().innerText();
    await page.getByRole('button', { name: 'Keep asking' }).click();
    await page.getByText('Checked with the API').last().waitFor({ state: 'attached' });
    const api = page.getByRole('switch', { name: 'Simulated GitHub' });
    await api.click();
    await page.locator('[data-test="api-state"]', { hasText: 'off' }).waitFor();
    await waitUntil(async () => (await latest()) === 'From the cache, the API failed', { what: 'a stale answer' });
    // Counted is what was asked after the page knew that GitHub is off.
    await page.locator('[data-test="outage"]', { hasText: /[1-9]\d* while GitHub was off/ }).waitFor();
    await api.click();
    await waitUntil(async () => (await latest()) === 'Checked with the API', { what: 'GitHub to be asked again' });
    await page.getByRole('button', { name: 'Stop asking' }).click();
    expect(await textOf(page, 'outage')).toMatch(/^\d+ answers, 0 errors; [1-9]\d* while GitHub was off\./);
  });
});

describe('Race, of a demo with --https', () => {
  let demo: DemoProcess;
  let browser: TestBrowser;
  const open = (): Promise<Page> => browser.open(`${demo.url}/#/race`, { ignoreHTTPSErrors: true });
  const state = (page: Page): Promise<string> =>
    page.request
      .get('/demo/upstream')
      .then(async (response) => String(((await response.json()) as { isDown: boolean }).isDown));

  beforeAll(async () => {
    [demo, browser] = await Promise.all([
      DemoProcess.start('token-of-the-browser-test', ['--https']),
      TestBrowser.start(),
    ]);
  });
  afterAll(async () => {
    await browser.stop();
    await demo.stop();
    expect(browser.complaints).toEqual([]);
  });

  it('sends 200 requests over TLS: one call, and 199 that wait for it or find its answer', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Send 200 requests' }).click();
    await page.locator('[data-test="race"]').waitFor();
    expect(await textOf(page, 'race-calls')).toBe('1');
    await expectOneCall(page);
    await page.context().close();
  });

  it('counts requests without an answer as failed, and says so', async () => {
    const page = await open();
    const requests = Array.from({ length: 200 }, () => ({ startedMs: 0, endedMs: 1, status: 0, cacheStatus: '' }));
    await page.route('**/demo/race', (route) => route.fulfill({ json: { requests } }));
    await page.getByRole('button', { name: 'Send 200 requests' }).click();
    await page.locator('[data-test="race-failed"]', { hasText: 'None of the 200 requests was answered' }).waitFor();
    expect(await textOf(page, 'race-calls')).toBe('0');
    await page.context().close();
  });

  it('shows that GitHub is off already, and leaves it off; what this page switched off is on again once it is left', async () => {
    const other = await open();
    await other.request.put('/demo/upstream', { data: { isDown: true } });
    const page = await open();
    await page.locator('[data-test="api-state"]', { hasText: 'off' }).waitFor();
    await page.reload();
    await page.locator('[data-test="api-state"]', { hasText: 'off' }).waitFor();
    expect(await state(other)).toBe('true');

    const api = page.getByRole('switch', { name: 'Simulated GitHub' });
    await api.click();
    await page.locator('[data-test="api-state"]', { hasText: 'on' }).waitFor();
    await api.click();
    await page.locator('[data-test="api-state"]', { hasText: 'off' }).waitFor();
    await page.locator('[data-test="outage"]', { hasText: 'Now:' }).waitFor();
    await page.getByRole('button', { name: 'Stop asking' }).click();
    expect(await textOf(page, 'outage')).not.toContain('Now:');
    await page.goto('about:blank');
    await waitUntil(async () => (await state(other)) === 'false', { what: 'GitHub to be on again' });
    await page.context().close();
    await other.context().close();
  });
});

describe('Race, without the demo', () => {
  it('sends the requests over the browser’s own connections, and calls the API once too', async () => {
    const simulator = await GithubSimulator.start({ latencyMs: 100 });
    const browser = await TestBrowser.start();
    const service = await ServiceProcess.start({ env: { GITHUB_API_URL: simulator.url } });
    try {
      const page = await browser.open(`${service.url}/#/race`);
      await page.getByText('npm run demo').first().waitFor();
      await page.getByRole('button', { name: 'Send 200 requests' }).click();
      await page.locator('[data-test="race"]').waitFor();
      expect(await textOf(page, 'race-calls')).toBe('1');
      expect(simulator.requests.count()).toBe(1);
      expect(await page.getByText('A browser opens only six connections').count()).toBe(1);
    } finally {
      await browser.stop();
      await service.stop();
      await simulator.stop();
    }
  });
});
