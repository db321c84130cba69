// By keys alone, and the five questions that a learner should be able to answer from the page: each
// answer is read off the page and held against what transformers says.
import { readFileSync } from 'node:fs';
import { check, expect, go, goTo, instruments, lookAt, near, numberOf, open, readTable, runIds, shown, shut, until } from './drive.mjs';

/** Presses Tab until the focus is on what the test looks for, as somebody without a mouse does. */
async function tabTo(page, selector, most = 120) {
  for (let i = 0; i < most; i++) {
    if (await page.evaluate((one) => document.activeElement?.matches(one), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${most} times Tab and no ${selector}`);
}
const focusSeen = (page) => page.evaluate(() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
});
/** Of all heads, the one that looks most at a key; of the last prompt token. */
function strongest(wanted, key) {
  let best = { weight: -1 };
  wanted.rows.forEach((heads, layer) => heads.forEach((row, head) => { if (row[key] > best.weight) best = { layer, head, weight: row[key], row }; }));
  return best;
}

async function findAndExport(page, wanted) {
  await runIds(page, wanted.ids);
  await page.keyboard.press('4');
  await page.waitForSelector('main[data-instrument=attention]');
  page.once('dialog', (dialog) => dialog.accept(String(wanted.ids.length - 1)));
  await page.keyboard.press('g');
  await page.waitForFunction((at) => document.querySelector('[data-cursor=token]')?.textContent === String(at), wanted.ids.length - 1);
  await tabTo(page, '#find');
  expect(await focusSeen(page), 'the focus cannot be seen');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('3');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-found]');
  const best = strongest(wanted, 3);
  const said = await page.textContent('[data-found]');
  expect(said.startsWith(`Layer ${best.layer}, head ${best.head}:`), `found ${said}, transformers says ${best.layer}.${best.head}`);
  await until('its row', async () => (await page.textContent('[data-panel=row] [data-summary]')).startsWith(`Layer ${best.layer}, head ${best.head} `));
  await tabTo(page, '[data-panel=row] .menu > summary');
  await page.keyboard.press('Enter');
  await tabTo(page, '[data-panel=row] .menu .list button:nth-last-child(2)', 8);
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\r\n');
  expect(/^position,.*weight/.test(lines[0]), `the head of the file: ${lines[0]}`);
  const values = lines.slice(1).map((line) => Number(line.split(',').at(-1)));
  expect(values.length === best.row.length, `${values.length} lines of ${best.row.length}`);
  values.forEach((value, i) => near(value, best.row[i], 2e-3, `line ${i}`));
}

/** Every verb that the help lists does something, and the help itself opens and closes by keys. */
async function keysWork(page, wanted) {
  await runIds(page, wanted.ids);
  const cursor = async () => page.evaluate(() => [...document.querySelectorAll('[data-cursor]')].map((one) => one.textContent).join(' '));
  await page.keyboard.press('4');
  await page.waitForSelector('[data-cursor=head]');
  const seen = [await cursor()];
  for (const key of ['ArrowLeft', 'ArrowDown', ']']) {
    await page.keyboard.press(key);
    await page.waitForTimeout(60);
    seen.push(await cursor());
  }
  expect(new Set(seen).size === 4, `the cursor went ${seen.join(' | ')}`);
  const scale = () => page.textContent('[data-panel=row] .segments [aria-pressed=true]');
  const before = await scale();
  await page.keyboard.press('l');
  await until('another scale', async () => (await scale()) !== before);
  const sinks = () => page.isChecked('[data-panel=row] input[type=checkbox]');
  const kept = await sinks();
  await page.keyboard.press('s');
  await until('the sinks', async () => (await sinks()) !== kept);
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  for (let i = 1; i <= 6; i++) {
    await page.keyboard.press(String(i));
    await page.waitForSelector(`main[data-instrument=${instruments[i - 1]}]`);
    // The address follows when the cursor rests, so that a journey is not a hundred entries.
    await page.waitForFunction((hash) => location.hash.startsWith(hash), `#/${instruments[i - 1]}`);
  }
  await page.goBack();
  await page.waitForSelector('main[data-instrument=routing]');
}

async function whatMixtralReads(page) {
  await go(page, 'compare');
  await page.selectOption('main select >> nth=0', { label: 'Llama-3-8B' }).catch(() => {});
  await until('Mixtral', async () => (await page.textContent('[data-panel=shapes] svg')).includes('46.70 B'));
  const text = await page.textContent('[data-panel=shapes] svg');
  expect(/46\.70 B parameters in memory, 12\.88 B for a token/.test(text), `the picture says ${text.slice(0, 300)}`);
  expect(/2 of 8 experts/.test(text), 'why: 2 of 8 experts');
  const { rows } = await readTable(page, 'blocks');
  const all = rows.at(-1);
  near(numberOf(all[2].text), 46702792704, shown(all[2].text).half, 'parameters of Mixtral');
  near(numberOf(all[1].text), 8030261248, shown(all[1].text).half, 'parameters of LLaMA-3-8B');
}
async function whatLeftTheWindow(page, wanted) {
  await go(page, 'memory');
  const at = wanted.ids.length - 1;
  await goTo(page, at);
  const said = await page.textContent('[data-panel=positions] [data-summary]');
  expect(said.includes(`Token ${at - 16} (`) && said.includes('has just left the window'), `said: ${said}`);
  // The oracle's own row of that token has nothing at the one that left, and something at the next.
  expect(wanted.rows[0].every((row) => row[at - 16] === 0 && row[at - 15] > 0), 'transformers sees the same edge');
}
async function whatElse(page, wanted) {
  await go(page, 'tokens');
  await goTo(page, wanted.ids.length);
  const { rows } = await readTable(page, 'ladder');
  const order = wanted.last.map((p, id) => [p, id]).sort((a, b) => b[0] - a[0]);
  expect(numberOf(rows[1][0].text) === order[1][1], `second best is ${rows[1][0].text}`);
  near(numberOf(rows[1][2].text), order[1][0], 2e-3, 'its log probability');
}
async function whoLooksAt(page, wanted) {
  await go(page, 'tokens');
  await goTo(page, wanted.ids.length - 1);
  await go(page, 'attention');
  await page.fill('#find', '5');
  await page.click('[data-panel=heads] form button');
  await page.waitForSelector('[data-found]');
  const best = strongest(wanted, 5);
  const said = await page.textContent('[data-found]');
  expect(said.startsWith(`Layer ${best.layer}, head ${best.head}:`), `found ${said}, transformers says ${best.layer}.${best.head}`);
}
async function whichExperts(page, wanted) {
  await go(page, 'routing');
  const at = 20;
  await page.click(`main .text button[data-step="${at}"]`);
  await lookAt(page, wanted.expert_layers[1], 0, 'expert');
  const { rows } = await readTable(page, 'router');
  const chosen = rows.filter((row) => row.at(-1).text !== '–').map((row) => numberOf(row[0].text)).sort();
  expect(String(chosen) === String([...wanted.experts[1][at]].sort()), `experts ${chosen}, transformers: ${wanted.experts[1][at]}`);
  for (const row of rows) {
    const k = wanted.experts[1][at].indexOf(numberOf(row[0].text));
    if (k >= 0) near(numberOf(row.at(-1).text), wanted.weights[1][at][k], 2e-3, `the weight of ${row[0].text}`);
  }
}

export default function keyboard(chrome, models) {
  const on = async (model, test, options) => {
    const page = await open(chrome, models[model].url, options);
    try {
      await test(page, models[model].wanted);
      expect(!page.problems.length, `the page's console: ${page.problems}`);
    } catch (error) {
      error.message += ` (the page says: ${await page.textContent('[data-state=error]', { timeout: 500 }).catch(() => 'no error')})`;
      throw error;
    } finally {
      await shut(page);
    }
  };
  check('by keys alone: the head that looks most at token 3, and its CSV', () => on('llama_f32', findAndExport));
  check('keys move the cursor, switch scales, open help and every instrument', () => on('llama_f32', keysWork));
  const asked = (test) => async (page, wanted) => {
    await runIds(page, wanted.ids);
    await test(page, wanted);
  };
  check('question: why does Mixtral read 13 B and need 47 B in memory?', () => on('llama_f32', whatMixtralReads));
  check('question: which token just left the window?', () => on('mistral_window', asked(whatLeftTheWindow)));
  check('question: what else might it have said, and how likely?', () => on('llama_f32', asked(whatElse)));
  check('question: which head looks most at token 5?', () => on('llama_f32', asked(whoLooksAt)));
  check('question: which experts did a token go to, and with what weight?', () => on('mixtral', asked(whichExperts)));
}
