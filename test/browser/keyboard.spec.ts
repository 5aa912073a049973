import type { Locator, Page } from 'playwright-core';
import { GithubSimulator } from '../../simulator';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { TestBrowser, textOf } from './browser';

const TOKEN = 'token-of-the-browser-test';

describe('by keyboard alone', () => {
  let simulator: GithubSimulator;
  let service: ServiceProcess;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    simulator = await GithubSimulator.start({ latencyMs: 20 });
    [service, browser] = await Promise.all([
      ServiceProcess.start({ env: { GITHUB_API_URL: simulator.url, ADMIN_TOKEN: TOKEN } }),
      TestBrowser.start(),
    ]);
    page = await browser.open(service.url);
  });
  afterAll(async () => {
    await browser.stop();
    await service.stop();
    await simulator.stop();
    expect(browser.complaints).toEqual([]);
  });

  /** Presses Tab until the element has the focus, as a person would; a page that cannot be walked through fails. */
  const tabTo = async (target: Locator, key = 'Tab'): Promise<void> => {
    for (let presses = 0; presses < 60; presses += 1) {
      if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
      await page.keyboard.press(key);
    }
    throw new Error(`60 presses of ${key} do not reach ${String(target)}`);
  };
  const press = async (name: string): Promise<void> => {
    await tabTo(page.getByRole('button', { name, exact: true }).first());
    await page.keyboard.press('Enter');
  };

  it('begins with a link past the navigation', async () => {
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').innerText()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await page.locator(':focus').getAttribute('id')).toBe('main');
  });

  it('requests the typed name, not a suggestion that was not chosen', async () => {
    await tabTo(page.getByLabel('GitHub account'));
    await page.keyboard.press('Control+A');
    await page.keyboard.type('goo');
    await page.getByRole('option', { name: 'google' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('public repositories of').waitFor();
    expect(await page.locator('[data-test="history"] tbody tr').first().innerText()).toContain('goo\t');
  });

  it('chooses a suggestion with the arrow keys', async () => {
    await tabTo(page.getByLabel('GitHub account'));
    await page.keyboard.press('Control+A');
    await page.keyboard.type('micro');
    await page.getByRole('option', { name: 'microsoft' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.locator('[data-test="history"] tbody tr', { hasText: 'microsoft' }).waitFor();
    expect(await textOf(page, 'repositories')).toBe('7,431');
  });

  it('asks again, invalidates with the token, and asks again', async () => {
    await press('Ask again');
    await page.getByText('From the cache').first().waitFor();
    await press('Invalidate');
    await page.getByRole('dialog', { name: 'Admin token' }).waitFor();
    await tabTo(page.getByLabel('Token', { exact: true }));
    await page.keyboard.type(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByText('microsoft is invalidated').first().waitFor();
    await page.locator(':focus', { hasText: 'Invalidate' }).waitFor();
    await tabTo(page.getByRole('button', { name: 'Ask again' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.locator('[data-test="verdict"]', { hasText: 'From the API' }).waitFor();
  });

  it('walks through the body of an answer as a tree', async () => {
    await tabTo(page.getByRole('link', { name: 'Explore' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    await tabTo(page.getByLabel('Path', { exact: true }));
    await page.keyboard.press('Control+A');
    await page.keyboard.type('/users/redis/repos');
    await page.keyboard.press('Enter');
    const first = page.getByRole('treeitem').first();
    await first.waitFor();
    await tabTo(first);
    expect(await first.getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('ArrowLeft');
    expect(await first.getAttribute('aria-expanded')).toBe('false');
    await page.keyboard.press('ArrowRight');
    expect(await first.getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('ArrowDown');
    expect(await page.locator(':focus').getAttribute('aria-level')).toBe('2');
  });

  it('opens an entry, and comes back to its row with Escape', async () => {
    await tabTo(page.getByRole('link', { name: 'Entries' }), 'Shift+Tab');
    await page.keyboard.press('Enter');
    const row = page.locator('[data-test="entries"] tbody button').first();
    await row.waitFor();
    await tabTo(row);
    await page.keyboard.press('Enter');
    await page.getByRole('tab', { name: 'Overview' }).waitFor();
    await tabTo(page.getByRole('tab', { name: 'Overview' }));
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { name: 'Header fields' }).getAttribute('aria-selected')).toBe('true');
    await page.keyboard.press('Escape');
    await page.getByRole('tab', { name: 'Overview' }).waitFor({ state: 'detached' });
    await waitUntil(() => row.evaluate((element) => element === element.ownerDocument.activeElement), {
      what: 'the focus on the row',
    });
  });
});
