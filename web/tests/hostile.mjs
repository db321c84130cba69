// Texts that want to be more than text, and pages of others that want to look in. What a model or a
// user writes is shown letter by letter and runs nothing; a stranger's page gets no answer.
import http from 'node:http';
import { check, expect, go, instruments, live, open, readTable, rested, settle, shut, startRun } from './drive.mjs';
import { json, runState, stub, token } from './frames.mjs';
import { serve } from './server.mjs';

const evil = [
  '<img src=x onerror="window.hacked=1">', '<script>window.hacked=2</script>', '<svg/onload=window.hacked=3>',
  '[click](javascript:window.hacked=4)', '![](https://example.org/p.png)', '<iframe srcdoc="<script>parent.hacked=5</script>"></iframe>',
  '\u202Egnp.exe\u202C', '\u2066\u200B\uFEFF\u0000\u0007', '"><style>*{display:none}</style>', '{{constructor.constructor("window.hacked=6")()}}',
  '=cmd|/c calc', '&lt;b&gt;', '\n\n# Not a title\n',
];
const watch = 'window.hacked = 0; window.open = () => { window.hacked = 9; };';

async function unharmed(page, where) {
  const seen = await page.evaluate(() => ({
    hacked: window.hacked, added: [...document.querySelectorAll('script:not([type=module]), iframe, object, embed, main img, form[action], style[data-evil], base')].map((e) => e.outerHTML.slice(0, 120)),
    links: [...document.querySelectorAll('main a[href]')].map((a) => a.href).filter((href) => !/^(https?|mailto):/.test(href)), shown: getComputedStyle(document.body).display,
  }));
  expect(!seen.hacked, `${where}: a script ran (${seen.hacked})`);
  expect(!seen.added.length, `${where}: the text became ${seen.added}`);
  expect(!seen.links.length, `${where}: links to ${seen.links}`);
  expect(seen.shown !== 'none', `${where}: the page was hidden`);
  expect(!page.problems.length, `${where}: ${page.problems}`);
}

/** A reply whose tokens are hostile, one of them 100 KB long, in every instrument. */
async function replies(chrome) {
  const engine = stub({ experts: 8 });
  const proxy = await serve({ handle: engine.handle });
  const page = await open(chrome, proxy.url, { init: watch });
  await live(page);
  await page.fill('#message', evil.join(' '));
  await page.keyboard.press('Enter');
  await page.waitForSelector('article.assistant');
  const all = [...evil, 'W'.repeat(100000), '\u0301'.repeat(500), '👩‍👩‍👧‍👦'.repeat(50)];
  const say = (text, step) => engine.send((seq) => token({ seq, run: 1, step }, { text, id: step, candidates: all.slice(0, 12).map((one, i) => [i, one, -i - 0.5, 0.05]) }));
  all.slice(0, evil.length).forEach(say);
  await page.waitForSelector('article.assistant .md');
  await settle(page, 300);
  await unharmed(page, 'chat, as Markdown');
  // With a token of 100 KB it is no longer taken for Markdown.
  all.slice(evil.length).forEach((text, i) => say(text, evil.length + i));
  engine.send((seq) => json('run', { seq, run: 1 }, runState(1, { state: 'ended', finish: 'length', length: all.length, computed: all.length - 1, prompt_tokens: 0, reply_ms: 12 })));
  await rested(page);
  await settle(page, 300);
  await unharmed(page, 'chat');
  const said = await page.textContent('article.user .said');
  expect(said === evil.join(' ').trim() || said.includes(evil[0]), `the user's words are shown as ${said.slice(0, 80)}`);
  const begin = performance.now();
  for (const one of instruments) {
    await go(page, one);
    await settle(page, 250);
    await unharmed(page, one);
    for (const panel of await page.$$eval('main [data-panel]', (e) => e.map((p) => p.dataset.panel))) await readTable(page, panel, 20);
    await unharmed(page, `${one}, tables`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide <= 0, `${one}: a long token makes the page ${wide} px too wide`);
  }
  const seconds = (performance.now() - begin) / 1000;
  expect(seconds < 25, `looking at them took ${seconds.toFixed(1)} s`);
  await go(page, 'tokens');
  const { rows } = await readTable(page, 'text');
  expect(rows[0][2].text === evil[0].replace(/ /g, '·'), `a tag is shown as ${rows[0][2].text}`);
  expect(rows[6][2].text === '⟨202e⟩gnp.exe⟨202c⟩', `a turned text is shown as ${rows[6][2].text}`);
  await shut(page);
  proxy.close();
}

/** The same words as a prompt to the real engine, by the page's own field. */
async function prompts(chrome, model) {
  const page = await open(chrome, model.url, { init: watch });
  await live(page);
  await go(page, 'tokens');
  await page.fill('#prompt', evil.slice(0, 2).join(' '));
  await page.click('header form button');
  await rested(page);
  await unharmed(page, 'a prompt');
  const text = (await readTable(page, 'text')).rows.map((row) => row[2].text).join('');
  expect(text.includes('onerror'), 'the prompt is there as text');
  await shut(page);
}

/** A prompt that no context holds is refused with its reason, and the page goes on. */
async function tooLong(chrome, model) {
  const page = await open(chrome, model.url);
  await live(page);
  await go(page, 'tokens');
  await page.fill('#prompt', 'word '.repeat(20000));
  await page.click('header form button');
  await page.waitForSelector('[data-state=error]');
  const said = await page.textContent('[data-state=error]');
  expect(/does_not_fit|bad_request|too_many/.test(said), `said: ${said}`);
  await shut(page);
}

/** The user's own numbers in a broken catalogue: a page that is told nonsense says so and stays alive. */
async function nonsense(chrome) {
  const engine = stub();
  const proxy = await serve({ handle: engine.handle });
  const page = await open(chrome, proxy.url, { init: watch });
  await live(page);
  engine.write(json('sys', { seq: 1 }, { tokens_per_second: 'many', observer: null }));
  engine.write(json('run', { seq: 2, run: 1 }, { state: '<b>running</b>', length: -5 }));
  engine.write(json('kv', { seq: 3 }, { groups: [], runs: [], pages: 1e3, other_pages: 0, pages_cached: 0, page_tokens: 64 }));
  engine.write(token({ seq: 4, run: 1, step: 0 }, { text: 'a', candidates: [] }));
  await settle(page, 300);
  for (const one of instruments) {
    await go(page, one);
    await settle(page, 150);
    await unharmed(page, one);
  }
  await shut(page);
  proxy.close();
}

const ask = (url, headers, method = 'GET', body) => new Promise((done, fail) => {
  const request = http.request(url, { method, headers }, (answer) => { answer.destroy(); done(answer.statusCode); });
  request.on('error', fail);
  request.end(body);
});

/** A page of another origin and another name of the host get nothing; a guessed session neither. */
async function strangers(chrome, { url, engine, wanted }) {
  const model = { url: engine ?? url, wanted };
  const page = await open(chrome, model.url);
  await startRun(page, { tokens: model.wanted.ids, tokens_max: 2 });
  await rested(page);
  const session = await page.evaluate(() => window.orreryProbe.session());
  const state = new URL(`state?session=${session}`, model.url);
  const { host, origin } = state;
  expect((await ask(state, { host, origin })) === 200, 'the page itself is answered');
  expect((await ask(state, { host, origin: 'http://example.org' })) === 403, 'another Origin is refused');
  expect((await ask(state, { host: 'evil.example' })) === 403, 'another Host is refused');
  const json = { host, origin: 'http://127.0.0.1:1', 'content-type': 'application/json' };
  expect((await ask(new URL('session', model.url), json, 'POST', '{}')) === 403, 'a POST of another Origin is refused');
  for (const name of ['state', 'stream', 'rows', 'tile']) {
    const status = await ask(new URL(`${name}?session=${'0'.repeat(32)}&run=1&layer=0&head=0&position=1`, model.url), { host });
    expect(status === 404, `a guessed session at ${name}: ${status}`);
  }
  const second = await serve({ handle: () => undefined });
  const evil = await (await chrome.newContext()).newPage();
  await evil.goto(second.url);
  const got = await evil.evaluate(async ([url, other]) => {
    const out = [];
    for (const [method, body] of [['GET'], ['POST', '{}']]) out.push(await fetch(method === 'GET' ? url : other, { method, body }).then((a) => `${method} ${a.status}`, () => 'nothing'));
    out.push(await fetch(url, { mode: 'no-cors' }).then((a) => a.text()).then((text) => text || 'nothing', () => 'nothing'));
    return out;
  }, [state.href, new URL('session', model.url).href]);
  expect(got.every((one) => one === 'nothing'), `a stranger's page got ${got}`);
  const framed = await evil.evaluate((url) => new Promise((done) => {
    const frame = document.createElement('iframe');
    frame.src = url;
    frame.onload = () => { try { done(frame.contentDocument ? 'own' : 'foreign'); } catch { done('foreign'); } };
    document.body.append(frame);
    setTimeout(() => done('blocked'), 1500);
  }), model.url);
  expect(framed !== 'own', 'a frame can be read');
  await evil.context().close();
  await shut(page);
  second.close();
}

export default function hostile(chrome, models) {
  check('hostile replies, one token of 100 KB: text, in every instrument', () => replies(chrome));
  check('hostile prompts to the real engine: text', () => prompts(chrome, models.llama_f32));
  check('a prompt that does not fit is refused with its reason', () => tooLong(chrome, models.llama_f32));
  check('nonsense from the engine does not break the page', () => nonsense(chrome));
  check('strangers: other Origin, other Host, guessed session, another page', () => strangers(chrome, models.llama_f32));
}
