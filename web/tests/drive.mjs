// Debian's Chromium, driven: a browser, a page that remembers what went wrong in it, and patience.
import { chromium } from 'playwright-core';

export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

export async function open(chrome, url, { dark = false, width = 1280, height = 860 } = {}) {
  const context = await chrome.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce', acceptDownloads: true });
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(`error: ${error.message}`));
  page.on('console', (message) => { if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) page.problems.push(message.text()); });
  page.on('request', (request) => { if (!request.url().startsWith(new URL(url).origin) && !/^(blob|data):/.test(request.url())) page.problems.push(`asks elsewhere: ${request.url()}`); });
  await page.goto(url);
  return page;
}

/** Until the page has drawn what it has. */
export const settle = (page, ms = 400) => page.waitForTimeout(ms);
