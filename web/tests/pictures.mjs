// The pictures of docs/explorer.md, one of each instrument: node tests/pictures.mjs FOLDER DENSE MIXTURE
// [light,dark,narrow], where DENSE and MIXTURE are addresses of pages with running engines behind them.
// Every number on them is of that run. `./dev pictures` starts the engines.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { browser, go, goTo, live, lookAt, numberOf, open, readTable, rested, settle, until } from './drive.mjs';
import { picture } from './png.mjs';

const question = 'What did Johannes Kepler find out about the planets? Answer in two sentences.';
const continued = 'The list type has several methods. list.append(x) adds an item to the end of the list';

async function ask(page, text) {
  await live(page);
  await go(page, 'chat');
  await page.click('button:has-text("Settings")');
  await page.fill('#s-max', '70');
  await page.fill('#s-seed', '11');
  await page.click('dialog button.main');
  await page.fill('#message', text);
  await page.keyboard.press('Enter');
  await rested(page);
  await page.evaluate(() => document.activeElement?.blur());
}
/** The token of the reply that the model found neither certain nor strange: its ladder has most to tell. */
async function doubtful(page) {
  const { rows } = await readTable(page, 'text');
  await page.click('[data-panel=text] header button[aria-pressed]');
  const open = rows.filter((row) => row[6].text === 'reply' && numberOf(row[3].text) !== null).map((row) => ({ step: numberOf(row[0].text), off: Math.abs(numberOf(row[3].text) + 1.3) }));
  return open.sort((a, b) => a.off - b.off)[0].step;
}
/** A head that does not rest on the first tokens and looks at few: it has something to show. */
async function telling(page) {
  await page.waitForFunction(() => document.querySelectorAll('[data-panel=heads] .scene rect').length > 20 && !document.querySelector('[data-panel=heads] .scene rect[fill="var(--soft)"]'), null, { timeout: 60000 });
  const { rows } = await readTable(page, 'heads');
  await page.click('[data-panel=heads] header button[aria-pressed]');
  const sharp = rows.map((row) => row.map((cell) => numberOf(cell.text))).filter((row) => row[4] < 0.25).sort((a, b) => a[2] - b[2]);
  return (sharp[0] ?? [0, 0]).slice(0, 2);
}
async function shoot(page, folder, name, most = 1500) {
  await page.mouse.move(0, 0);
  await settle(page, 500);
  const size = page.viewportSize();
  const high = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ ...size, height: Math.min(most, Math.max(size.height, high)) });
  await settle(page, 500);
  writeFileSync(path.join(folder, `explorer_${name}.png`), await picture(page));
  await page.setViewportSize(size);
}

async function dense(page, folder, end) {
  await ask(page, question);
  await shoot(page, folder, `chat${end}`, 720);
  await go(page, 'compare');
  await settle(page, 700);
  await shoot(page, folder, `compare${end}`);
  await go(page, 'tokens');
  await goTo(page, await doubtful(page));
  await shoot(page, folder, `tokens${end}`);
  await go(page, 'attention');
  await page.keyboard.press('ArrowLeft');
  const [layer, head] = await telling(page);
  await lookAt(page, layer, head);
  for (const panel of ['row', 'matrix']) await until(panel, async () => (await page.textContent(`[data-panel=${panel}] [data-summary]`)).startsWith(`Layer ${layer}, head ${head}`), 20000);
  await page.locator('[data-panel=window] input[type=range]').fill('16');
  await page.click('[data-panel=window] .controls button');
  await page.waitForSelector('[data-panel=window] .controls .num', { timeout: 20000 });
  await shoot(page, folder, `attention${end}`, 1700);
  await shoot(page, folder, `hero${end}`, 760);
  await go(page, 'memory');
  await page.click('.cursor button:has-text("follow")');
  await shoot(page, folder, `memory${end}`);
}
async function mixture(page, folder, end) {
  await live(page);
  await go(page, 'tokens');
  await page.click('button:has-text("Settings")');
  const trained = (await page.textContent('.model .name')).startsWith('demo');
  await page.fill('#s-max', trained ? '40' : '2');
  await page.fill('#s-seed', '11');
  await page.click('dialog button.main');
  await page.fill('#prompt', continued);
  await page.click('header form button.main');
  await rested(page);
  await go(page, 'routing');
  // The tests' tiny mixture has learned nothing: what it would say is no picture, how it routes is.
  await goTo(page, trained ? 60 : 40);
  await lookAt(page, 1, 2, 'expert');
  await page.click('[data-panel=what] .controls button');
  await page.waitForSelector('[data-panel=what] .controls .num', { timeout: 20000 });
  await shoot(page, folder, `routing${end}`, 1700);
}

const [folder, denseUrl, mixtureUrl, kinds = 'light'] = process.argv.slice(2);
const chrome = await browser();
for (const kind of kinds.split(',')) {
  const look = { dark: kind === 'dark', width: kind === 'narrow' ? 320 : 1240, height: kind === 'narrow' ? 720 : 700 };
  const end = kind === 'light' ? '' : `_${kind}`;
  for (const [url, draw] of [[denseUrl, dense], [mixtureUrl, mixture]]) {
    const page = await open(chrome, url, look);
    await draw(page, folder, end);
    if (page.problems.length) console.log(kind, page.problems.join('\n'));
    await page.context().close();
  }
}
await chrome.close();
