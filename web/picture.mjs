import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/*
 * `npm run picture`: takes the README's picture of the page, docs/images/page.png, from the demo. Needs Chromium (CHROMIUM, else
 * /usr/bin/chromium).
 */

const MAX_BYTES = 150_000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'docs/images/page.png');

const demo = spawn(process.execPath, [join(root, 'dist/simulator/demo.js')], {
  env: { ...process.env, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'info' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 760 }, colorScheme: 'light' });
  await page.goto(await urlOf(demo));
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  for (const button of [...Array(5).fill('Ask again'), 'Bypass the cache', ...Array(5).fill('Ask again')]) {
    await page.getByRole('button', { name: button }).click();
    await page.locator('.wait').waitFor({ state: 'detached' });
  }
  await page.mouse.move(0, 0);
  await page.evaluate('document.activeElement.blur()');
  mkdirSync(dirname(target), { recursive: true });
  await page.screenshot({ path: target });
  const { size } = statSync(target);
  if (size > MAX_BYTES) throw new Error(`The picture is ${size} bytes; at most ${MAX_BYTES} are to be committed.`);
  console.log(`${target}: ${size} bytes`);
} finally {
  await browser.close();
  demo.kill();
}

async function urlOf(child) {
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    const [, url] = /open (http:\/\/\S+)/.exec(output) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`The demo ended:\n${output}`);
}
