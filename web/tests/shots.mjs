// Pictures of each instrument, for docs/pictures and for looking at: node tests/shots.mjs URL FOLDER
// [light,dark,narrow]. URL is a page with a running engine behind it.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { browser, open, settle } from './drive.mjs';

const prompt = 'Explain in three sentences why the planets move in ellipses, and who found it.';

export async function runOnce(page, text = prompt) {
  await page.click('nav button:has-text("Chat")');
  await page.click('button:has-text("Settings")');
  await page.fill('#s-max', '60');
  await page.fill('#s-seed', '7');
  await page.click('dialog button.main');
  await page.fill('#message', text);
  await page.keyboard.press('Enter');
  await page.waitForSelector('article.assistant small.rate', { timeout: 20000 });
}

async function main([url, folder, kinds = 'light,dark,narrow']) {
  const chrome = await browser();
  for (const kind of kinds.split(',')) {
    const page = await open(chrome, url, { dark: kind === 'dark', width: kind === 'narrow' ? 320 : 1280, height: kind === 'narrow' ? 720 : 860 });
    await settle(page);
    await page.screenshot({ path: path.join(folder, `start-${kind}.png`) });
    await runOnce(page);
    await page.screenshot({ path: path.join(folder, `chat-${kind}.png`) });
    for (const one of ['compare', 'tokens', 'attention', 'routing', 'memory', 'lens']) {
      await page.evaluate((name) => (location.hash = `#/${name}`), one);
      await page.click(`nav button[aria-label="${one[0].toUpperCase()}${one.slice(1)}"]`);
      await settle(page, 900);
      if (one === 'attention') {
        await page.click('[data-panel=matrix] button:has-text("Whole")').catch(() => {});
        await page.click('[data-panel=window] button:has-text("Compute")', { timeout: 2000 }).catch(() => {});
        await settle(page, 1500);
      }
      if (one === 'tokens') { for (let i = 0; i < 14; i++) await page.keyboard.press('ArrowLeft'); await settle(page, 300); }
      const high = await page.evaluate(() => document.documentElement.scrollHeight);
      const size = page.viewportSize();
      await page.setViewportSize({ ...size, height: Math.min(2600, Math.max(size.height, high)) });
      await settle(page, 400);
      await page.screenshot({ path: path.join(folder, `${one}-${kind}.png`) });
      await page.setViewportSize(size);
    }
    console.log(kind, page.problems.join('\n'));
    await page.context().close();
  }
  await chrome.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
