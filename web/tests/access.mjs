// For everybody: axe in every instrument and state, light and dark; narrow and zoomed pages without
// sideways scroll; reduced motion; forced colours.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { check, expect, go, instruments, live, open, readTable, runIds, settle, shut } from './drive.mjs';
import { json, runState, stub, token } from './frames.mjs';
import { serve } from './server.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const later = ['lens', 'time', 'optimise', 'planner'];

async function axe(page, where, part = 'html') {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
  const found = await page.evaluate((one) => window.axe.run(one, { resultTypes: ['violations'] }), part);
  return found.violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `${where}: ${one.id}: ${one.nodes.length} × ${one.nodes[0].html.slice(0, 160)} ${one.nodes[0].any?.[0]?.message ?? ''}`);
}

/** Each instrument with a run, as a picture and as tables. */
async function instrumentsClean(chrome, model, dark, chosen) {
  const page = await open(chrome, model.url, { dark });
  const bad = [];
  await runIds(page, model.wanted.ids);
  for (const one of chosen) {
    await go(page, one);
    await settle(page, 900);
    bad.push(...(await axe(page, one)));
    const panels = await page.$$eval('main [data-panel]', (all) => all.map((panel) => panel.dataset.panel));
    for (const panel of panels) await readTable(page, panel, 20);
    if (panels.length) bad.push(...(await axe(page, `${one}, tables`, '.twin')));
  }
  expect(!bad.length, bad.join('\n'));
  expect(!page.problems.length, `the page's console: ${page.problems}`);
  await shut(page);
}

/** States that a well engine seldom shows, made by a stub: [name, what to do, what must be there]. */
const states = [
  ['no run', async () => {}, 'no_run', 'tokens'],
  ['prefill', async (engine) => { await engine.begin(); engine.send((seq) => json('run', { seq, run: 1 }, runState(1, { state: 'prefill', done: 64, of: 412 }))); }, 'prefill', 'tokens'],
  ['thinned', async (engine) => { await engine.begin(); engine.send((seq) => token({ seq, run: 1, step: 0 }, { text: 'a', flags: 2 })); }, 'thinned', 'tokens'],
  ['frames lost', async (engine) => { await engine.begin(); engine.send((seq) => json('gap', { seq }, { from: 2, to: 40 })); }, 'gap', 'tokens'],
  ['paused', async (engine) => { await engine.begin(); engine.send((seq) => token({ seq, run: 1, step: 0 }, { text: 'a' })); engine.send((seq) => json('run', { seq, run: 1 }, runState(1, { state: 'paused', length: 1 }))); }, 'live', 'attention'],
  ['error', async (engine, page) => { engine.refuse = () => ({ status: 400, code: 'too_expensive', message: 'This would take 3 minutes.', hint: 'Ask for less.' }); await engine.begin(); engine.send((seq) => token({ seq, run: 1, step: 0 }, { text: 'a' })); await page.waitForTimeout(100); await page.evaluate(() => document.activeElement?.blur()); await page.keyboard.press(' '); }, 'error', 'tokens'],
  ['disconnected', async (engine, page, proxy, options) => { options.down = true; proxy.cut(); }, 'disconnected', 'tokens'],
  ['not applicable', async (engine) => { await engine.begin(); }, 'not_applicable', 'routing'],
  ['not built yet', async () => {}, 'later', 'lens'],
];
async function stateClean(chrome, dark, [name, make, state, instrument]) {
  const engine = stub();
  const options = { handle: engine.handle };
  const proxy = await serve(options);
  const page = await open(chrome, proxy.url, { dark });
  engine.begin = async () => { engine.send((seq) => json('run', { seq, run: 1 }, runState(1))); };
  try {
    await live(page);
    await go(page, instrument);
    await make(engine, page, proxy, options);
    await page.waitForSelector(`[data-state="${state}"]`, { timeout: 8000 });
    await settle(page, 150);
    const bad = await axe(page, name);
    expect(!bad.length, bad.join('\n'));
  } finally {
    await shut(page);
    proxy.close();
  }
}
/** What stands in the way of the engine: it is off, it has no model, it is not there at all. */
async function emptyClean(chrome, dark) {
  const answers = { off: { status: 404, code: 'explorer_off', message: 'off', hint: '' }, no_model: { status: 404, code: 'no_model', message: 'none', hint: '' }, lost: { status: 500, code: 'model_error', message: 'broken', hint: '' } };
  for (const [state, answer] of Object.entries(answers)) {
    const proxy = await serve({ handle: () => answer });
    const page = await open(chrome, proxy.url, { dark });
    await page.waitForSelector(`.card[data-state=${state}]`);
    const bad = await axe(page, state);
    await shut(page);
    proxy.close();
    expect(!bad.length, bad.join('\n'));
  }
}
async function dialogsClean(chrome, model, dark) {
  const page = await open(chrome, model.url, { dark });
  await live(page);
  const bad = [];
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  bad.push(...(await axe(page, 'help')));
  await page.keyboard.press('Escape');
  await page.click('button:has-text("Settings")');
  bad.push(...(await axe(page, 'settings')));
  await page.click('dialog[open] button.main');
  await page.click('button:has-text("Lesson")');
  bad.push(...(await axe(page, 'lesson')));
  expect(!bad.length, bad.join('\n'));
  await shut(page);
}

async function noSideways(chrome, model, options) {
  const page = await open(chrome, model.url, options);
  await runIds(page, model.wanted.ids);
  const bad = [];
  for (const one of [...instruments, 'lens']) {
    await go(page, one);
    await settle(page, 700);
    for (const turn of ['picture', 'tables']) {
      if (turn === 'tables') for (const panel of await page.$$eval('main [data-panel]', (all) => all.map((each) => each.dataset.panel))) await readTable(page, panel, 20);
      const wide = await page.evaluate(() => {
        const most = document.documentElement.clientWidth;
        const out = [...document.querySelectorAll('main *, header.top *, .dock *')].filter((e) => e.getBoundingClientRect().right > most + 1 && !e.closest('.twin, .rail, .text, .hidden, svg, pre'));
        return { scroll: document.documentElement.scrollWidth - most, out: out.slice(0, 3).map((e) => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`) };
      });
      if (wide.scroll > 0 || wide.out.length) bad.push(`${one} (${turn}): ${wide.scroll} px too wide; ${wide.out.join(', ')}`);
    }
  }
  const small = await page.evaluate(() => [...document.querySelectorAll('button, summary, select, input:not([type=file]):not(.strip input)')].filter((e) => { const b = e.getBoundingClientRect(); return b.width && (b.height < 24 || b.width < 24) && !e.closest('.text, label'); }).map((e) => `${e.tagName} ${e.textContent.slice(0, 20)} ${Math.round(e.getBoundingClientRect().width)}×${Math.round(e.getBoundingClientRect().height)}`).slice(0, 5));
  expect(!bad.length, bad.join('\n'));
  expect(!small.length, `targets smaller than 24 px: ${small}`);
  await shut(page);
}

async function calm(chrome, model) {
  const page = await open(chrome, model.url);
  await runIds(page, model.wanted.ids);
  for (const one of instruments) {
    await go(page, one);
    const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e); return parseFloat(s.transitionDuration) > 0 || (s.animationName !== 'none' && parseFloat(s.animationDuration) > 0); }).length + document.getAnimations().length);
    expect(moving === 0, `${one}: ${moving} elements move although less motion was asked for`);
  }
  await shut(page);
}

async function forced(chrome, model) {
  const page = await open(chrome, model.url, { forced: true });
  await runIds(page, model.wanted.ids);
  expect(await page.evaluate(() => matchMedia('(forced-colors: active)').matches), 'forced colours are not on');
  for (const one of instruments) {
    await go(page, one);
    await settle(page, 500);
    const seen = await page.evaluate(() => {
      const main = document.querySelector('main');
      const rects = [...main.querySelectorAll('svg rect')].map((e) => getComputedStyle(e).fill);
      const at = main.querySelector('.text button.at');
      const pressed = document.querySelector('nav [aria-current]');
      return { fills: new Set(rects).size, rects: rects.length, at: at ? getComputedStyle(at).outlineStyle : 'solid', current: getComputedStyle(pressed).outlineStyle };
    });
    expect(seen.rects < 4 || seen.fills > 1, `${one}: ${seen.rects} shapes of one colour`);
    expect(seen.at === 'solid', `${one}: the cursor's token cannot be told from the others`);
    expect(seen.current === 'solid', `${one}: the chosen instrument cannot be told from the others`);
  }
  const bad = await axe(page, 'forced colours');
  expect(!bad.length, bad.join('\n'));
  await shut(page);
}

export default function access(chrome, models) {
  for (const dark of [false, true]) {
    const light = dark ? 'dark' : 'light';
    check(`axe, ${light}: each instrument of a dense model`, () => instrumentsClean(chrome, models.llama_f32, dark, [...instruments, 'lens']));
    check(`axe, ${light}: what a mixture adds`, () => instrumentsClean(chrome, models.mixtral, dark, ['routing', 'attention']));
    for (const state of states) check(`axe, ${light}: the state “${state[0]}”`, () => stateClean(chrome, dark, state));
    check(`axe, ${light}: off, no model, away`, () => emptyClean(chrome, dark));
    check(`axe, ${light}: help, settings, lesson`, () => dialogsClean(chrome, models.llama_f32, dark));
  }
  check('320 px: nothing scrolls sideways, targets of 24 px', () => noSideways(chrome, models.mixtral, { width: 320, height: 720 }));
  check('400 % zoom of 1280 px: nothing scrolls sideways', () => noSideways(chrome, models.llama_f32, { width: 320, height: 256, scale: 4 }));
  check('reduced motion: nothing moves by itself', () => calm(chrome, models.llama_f32));
  check('forced colours: pictures, cursor and rail can be told apart', () => forced(chrome, models.mixtral));
}

