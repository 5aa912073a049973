import { readFileSync } from 'node:fs';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { waitUntil } from '../support/wait-until';
import { giveToken, screenshot, TestBrowser } from './browser';
import { DemoProcess } from './demo-process';

const TOKEN = 'token-of-the-browser-test';
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** Brings a view into the state in which most of it is on screen. */
const VIEWS: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  try: async (page) => {
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.locator('[data-test="answer"]').waitFor();
    await page.getByRole('button', { name: 'Ask again' }).click();
    await page.getByText('From the cache').first().waitFor();
    await page.getByRole('button', { name: 'What was sent and received' }).click();
    await page.getByText('Cache-Status in words').waitFor();
  },
  explore: async (page) => {
    await page.getByRole('button', { name: 'Get', exact: true }).click();
    await page.getByRole('treeitem').first().waitFor();
  },
  race: async (page) => {
    await page.getByRole('button', { name: 'Send 200 requests' }).click();
    await page.locator('[data-test="race"]').waitFor();
    await page.getByRole('button', { name: 'Keep asking' }).click();
    await page.locator('.beats li').nth(2).waitFor();
    await page.getByRole('button', { name: 'Stop asking' }).click();
  },
  live: async (page) => {
    await page.getByRole('heading', { name: 'Replicas' }).waitFor();
    for (let times = 0; times < 20; times += 1) await page.request.get('/repos/redis');
    await page.getByRole('rowheader', { name: 'Hit' }).waitFor();
  },
  entries: async (page) => {
    await page.request.get('/repos/redis');
    await page.getByRole('button', { name: 'Enter the admin token' }).click();
    await giveToken(page, TOKEN);
    await page.locator('[data-test="entries"] tbody tr').first().waitFor();
  },
};

describe('every view', () => {
  let demo: DemoProcess;
  let browser: TestBrowser;

  beforeAll(async () => {
    [demo, browser] = await Promise.all([DemoProcess.start(TOKEN), TestBrowser.start()]);
  });
  afterAll(async () => {
    await browser.stop();
    await demo.stop();
  });
  afterEach(() => expect(browser.complaints).toEqual([]));

  const open = async (view: string, options: BrowserContextOptions): Promise<Page> => {
    const page = await browser.open(`${demo.url}/#/${view}`, { reducedMotion: 'reduce', ...options }, AXE);
    await VIEWS[view]!(page);
    return page;
  };

  /** Of axe's findings, those that keep someone from using the page. */
  const serious = async (page: Page): Promise<unknown[]> => {
    const { violations } = await page.evaluate<AxeResult>('axe.run(document, { resultTypes: ["violations"] })');
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }));
  };

  it.each(Object.keys(VIEWS))('%s: no serious finding of axe in either theme; fits any width', async (view) => {
    const page = await open(view, { colorScheme: 'light' });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-theme="${colorScheme}"]`).waitFor();
      await screenshot(page, `${view}-${colorScheme}`);
      expect(await serious(page)).toEqual([]);
    }
    for (const width of [360, 390, 3840]) {
      await page.setViewportSize({ width, height: width > 1000 ? 2160 : 844 });
      if (width === 390) await screenshot(page, `${view}-${width}`);
      // A chart follows the width. Not waitForFunction: its second look is an eval, which the page's own policy forbids.
      const fits = () => page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth');
      await waitUntil(fits, { what: `${view} to fit ${width} pixels` });
    }
    await page.context().close();
  });

  it('has no serious finding of axe in a dialog either', async () => {
    const page = await browser.open(`${demo.url}/#/entries`, { reducedMotion: 'reduce' }, AXE);
    await page.request.get('/repos/redis');
    await page.getByRole('button', { name: 'Enter the admin token' }).click();
    await page.getByRole('dialog', { name: 'Admin token' }).waitFor();
    expect(await serious(page)).toEqual([]);
    await giveToken(page, TOKEN);
    await page.locator('[data-test="entries"] tbody button').first().click();
    for (const tab of ['Overview', 'Header fields', 'Body', 'Variants']) {
      await page.getByRole('tab', { name: tab }).click();
      expect(await serious(page)).toEqual([]);
    }
    await page.getByRole('dialog').getByRole('button', { name: 'Purge…', exact: true }).last().click();
    await page.getByRole('dialog', { name: 'Purge' }).waitFor();
    expect(await serious(page)).toEqual([]);
    await page.context().close();
  });

  it('has its own title, and the language of its text', async () => {
    const page = await open('explore', {});
    expect(await page.title()).toBe('Explore GitHub · Larder');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await page.context().close();
  });

  it('keeps the theme that was chosen, and nothing else', async () => {
    const page = await open('try', { colorScheme: 'light' });
    await page.getByRole('button', { name: 'Dark' }).click();
    await page.reload();
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    expect(await page.evaluate('JSON.stringify({ ...localStorage })')).toBe('{"larder-theme":"dark"}');
    await page.context().close();
  });
});
