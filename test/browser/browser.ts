import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { repositoryRoot } from '../support/build-service';
import { getExecutable } from '../support/executables';

/** Screenshots to look at; git ignores the folder. */
const SCREENS = join(repositoryRoot, 'coverage/screens');

/** No call of the browser's own to anywhere. */
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];

/** A real Chromium with a profile of its own, and what its pages complained about. */
export class TestBrowser {
  /** Errors of scripts and violations of the Content-Security-Policy. A test expects none. */
  readonly complaints: string[] = [];

  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: getExecutable('chromium'), args: FLAGS }));
  }

  /** A page in a context of its own: nothing is kept from one to the next. `script` runs in it before the page's own. */
  async open(url: string, options: BrowserContextOptions = {}, script?: string): Promise<Page> {
    const context = await this.browser.newContext({
      ...{ viewport: { width: 1280, height: 900 }, baseURL: new URL(url).origin },
      ...options,
    });
    context.setDefaultTimeout(60_000);
    if (script !== undefined) await context.addInitScript(script);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      // A response of 4xx or 5xx, or none, is an error in the console's eyes; the page shows it in words.
      const isFailedRequest = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !isFailedRequest) this.complaints.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  stop(): Promise<void> {
    return this.browser.close();
  }
}

/** The whole page; of a large screen, which takes long to write, what is on it. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENS, { recursive: true });
  await page.evaluate('scrollTo(0, 0)'); // the header stays on top
  // Drawings follow the size of their box one frame later.
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  await page.screenshot({ path: join(SCREENS, `${name}.png`), fullPage: (page.viewportSize()?.width ?? 0) < 2000 });
}

/** The text of the element with this `data-test`. */
export async function textOf(page: Page, name: string): Promise<string> {
  return (await page.locator(`[data-test="${name}"]`).first().innerText()).trim();
}

/** Fills in the admin token that the page asks for. */
export async function giveToken(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Use token' }).click();
}
