// Debian's Chromium, driven: a browser, a page that remembers what went wrong in it, checks that print
// `ok - what` or `FAIL - what`, and the ways in which a test reads what the page shows. It knows the
// page only by what a person meets: roles, texts, tables, keys, and the data- attributes of numbers.
import { chromium } from 'playwright-core';

export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--js-flags=--expose-gc'],
});

/** For work on the page: with ORRERY_DIST the page comes from web/dist and not from the program. */
export async function fromDist(models) {
  if (!process.env.ORRERY_DIST) return models;
  const { serve } = await import('./server.mjs');
  for (const one of Object.values(models)) {
    one.engine = one.url;
    one.url = (await serve({ upstream: new URL(one.url).origin })).url;
  }
  return models;
}

export const instruments = ['chat', 'compare', 'tokens', 'attention', 'routing', 'memory'];

export async function open(chrome, url, { dark = false, width = 1280, height = 860, scale = 1, motion = false, forced = false, init = '' } = {}) {
  const context = await chrome.newContext({ viewport: { width, height }, deviceScaleFactor: scale, colorScheme: dark ? 'dark' : 'light', reducedMotion: motion ? 'no-preference' : 'reduce', forcedColors: forced ? 'active' : 'none', acceptDownloads: true });
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(`error: ${error.message}`));
  page.on('console', (message) => { if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) page.problems.push(message.text()); });
  page.on('request', (request) => { if (!request.url().startsWith(new URL(url).origin) && !/^(blob|data):/.test(request.url())) page.problems.push(`asks elsewhere: ${request.url()}`); });
  if (init) await page.addInitScript(init);
  await page.goto(url);
  return page;
}

/** Closes a page with its session: a server has room for sixteen. */
export async function shut(page) {
  await page.evaluate(() => window.orreryProbe?.close?.()).catch(() => {});
  await page.context().close();
}
/** Until the page has drawn what it has. */
export const settle = (page, ms = 400) => page.waitForTimeout(ms);

export function expect(truth, what) {
  if (!truth) throw new Error(what);
}
export function near(found, wanted, limit, what) {
  expect(Math.abs(found - wanted) <= limit, `${what}: ${found}, ${wanted} was expected (to ${limit})`);
}

const checks = [];
/** Adds one check. It may give a note; what it throws is printed, and the others go on. */
export const check = (name, test) => checks.push({ name, test });
async function attempt({ name, test }) {
  const begin = performance.now();
  let said;
  try {
    const note = await test();
    said = `ok - ${name}${typeof note === 'string' ? `: ${note}` : ''}`;
  } catch (error) {
    said = `  ${String(error?.stack ?? error).split('\n').slice(0, 30).join('\n  ')}\nFAIL - ${name}`;
    process.exitCode = 1;
  }
  console.log(process.env.TIMES ? `${said}\n  ${Math.round(performance.now() - begin)} ms` : said);
}
/** Runs the checks that were added, `lanes` at a time: a page mostly waits. */
export async function runChecks(only, lanes) {
  const waiting = checks.splice(0).filter(({ name }) => name.includes(only));
  const lane = async () => { for (let one = waiting.shift(); one; one = waiting.shift()) await attempt(one); };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export const until = async (what, test, ms = 15000) => {
  const end = Date.now() + ms;
  for (;;) {
    const value = await test();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 40));
  }
};

export async function go(page, one) {
  await page.click(`nav button[data-go=${one}]`);
  await page.waitForSelector(`main[data-instrument="${one}"]`);
}
export const live = (page) => page.waitForSelector('.model small[data-state=live]', { timeout: 15000 });

/** Starts a run in the page's own session, by ids if need be; the page learns of it by its stream. */
export async function startRun(page, body) {
  await live(page);
  const answer = await page.evaluate(async (what) => {
    const reply = await fetch('run', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ session: window.orreryProbe.session(), ...what }) });
    return { status: reply.status, ...(await reply.json()) };
  }, body);
  expect(answer.status === 200, `run: ${JSON.stringify(answer)}`);
  return answer;
}
export const rested = (page) => page.waitForFunction(() => / (ended|paused)$/.test(document.querySelector('.model small')?.textContent ?? ''), null, { timeout: 20000 });
export async function runIds(page, ids, more = {}) {
  await startRun(page, { tokens: ids, tokens_max: 2, prompt_logprobs: true, ignore_eos: true, sampler: { temperature: 0 }, ...more });
  await rested(page);
}
/** Moves the shared cursor to a token, the way a person does: a click on it. */
export async function goTo(page, step) {
  await page.click(`main .text button[data-step="${step}"]`);
  await page.waitForFunction((at) => document.querySelector('[data-cursor=token]')?.textContent === String(at), step);
}
const cursor = (page, what) => page.textContent(`[data-cursor=${what}]`).then(Number);
/** Moves layer and head (or expert) by keys. */
export async function lookAt(page, layer, head, what = 'head') {
  await page.evaluate(() => document.activeElement?.blur());
  for (let at = await cursor(page, 'layer'); at !== layer; at = await cursor(page, 'layer')) await page.keyboard.press(at < layer ? 'ArrowDown' : 'ArrowUp');
  for (let at = await cursor(page, what); at !== head; at = await cursor(page, what)) await page.keyboard.press(at < head ? ']' : '[');
}

/** A panel's table twin, scrolled through from end to end (or until `most` rows were read): {columns, rows: [[{text, src, how, fmt}]]}. */
export const readTable = (page, panel, most = Infinity) => page.evaluate(async ([name, limit]) => {
  const section = document.querySelector(`[data-panel="${name}"]`);
  if (!section) throw new Error(`no panel ${name}`);
  const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const toggle = section.querySelector('header button[aria-pressed]');
  if (toggle?.getAttribute('aria-pressed') === 'false') toggle.click();
  await drawn();
  const box = section.querySelector('.twin');
  const table = box.querySelector('table');
  const count = Number(table.getAttribute('aria-rowcount')) - 1;
  const columns = [...table.querySelectorAll('thead th')].map((one) => one.textContent.trim());
  const rows = new Array(count);
  box.scrollTop = 0;
  for (let turn = 0; turn < count + 10; turn++) {
    await drawn();
    for (const tr of table.querySelectorAll('tbody tr[aria-rowindex]')) {
      rows[Number(tr.getAttribute('aria-rowindex')) - 2] = [...tr.children].map((td) => ({ text: td.textContent, src: td.dataset.src, how: td.dataset.how, fmt: td.dataset.fmt, prov: td.dataset.prov }));
    }
    if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1 || turn * 10 >= limit) break;
    box.scrollTop += 280;
  }
  return { columns, rows: Array.from(rows).filter(Boolean), summary: section.querySelector('[data-summary]').textContent };
}, [panel, Number.isFinite(most) ? most : 1e9]);

/** A shown number: its value and half of the last digit that is shown. Null for a dash. */
export function shown(text, fmt = '') {
  const clean = text.trim().replace(/\u2212/g, '-').replace(/,/g, '');
  if (clean === '–' || clean === '') return null;
  const found = /^(-?\d+(?:\.(\d+))?)(e[+-]\d+)?\s*(%|×|ms|[KMGT]iB|B|T|M|k)?$/.exec(clean);
  if (!found) throw new Error(`“${text}” is no number`);
  const scale = { '%': 0.01, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, k: 1e3, M: 1e6, T: 1e12, B: fmt === 'bytes' ? 1 : 1e9 }[found[4]] ?? Number(`1${found[3] ?? ''}`);
  return { value: Number(found[1]) * scale, half: (0.5001 * scale) / 10 ** (found[2]?.length ?? 0) };
}
export const numberOf = (text) => shown(text)?.value ?? null;
