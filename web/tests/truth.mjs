// No fake: every number that the page shows is taken back to the frame and the field that it names. The
// frames are fetched by the test itself, as lines of JSON; what the page derived is computed again from
// them. Whatever looks like a measured number and names no source is a failure, too.
import http from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, expect, go, goTo, instruments, lookAt, open, readTable, runIds, settle, shown, shut } from './drive.mjs';

const at = (value, route) => route.split('.').reduce((v, part) => v?.[part], value);
const sum = (list) => list.reduce((a, b) => a + b, 0);

/** All frames of a session, as lines of JSON, until the stream is silent. */
export function framesAsJson(base, session) {
  return new Promise((done, fail) => {
    const request = http.get(new URL(`stream?session=${session}&since=0&format=ndjson`, base), (answer) => {
      let text = '';
      let timer = setTimeout(end, 3000);
      function end() {
        request.destroy();
        done(text.split('\n').filter(Boolean).flatMap((line) => { try { return [JSON.parse(line)]; } catch { return []; } }));
      }
      answer.on('data', (part) => { text += part; clearTimeout(timer); timer = setTimeout(end, 350); });
      answer.on('error', () => {});
    });
    request.on('error', (error) => (error.code === 'ECONNRESET' ? null : fail(error)));
  });
}

/** Statistics of a row, after docs/formats/feed.md. */
function statistics(row) {
  const keys = row.weights.map((w, i) => [row.positions ? row.positions[i] : row.first + i, w]);
  const query = row.first + row.keys - 1;
  const mass = (test) => sum(keys.filter(([k]) => test(k)).map(([, w]) => w));
  return { entropy: -sum(keys.map(([, w]) => (w > 0 ? w * Math.log(w) : 0))), max: Math.max(...row.weights), sink_mass: mass((k) => k < 4), recent_mass: mass((k) => k > query - 64), distance: sum(keys.map(([k, w]) => w * (query - k))) };
}

class Book {
  constructor(base, session, frames, catalog, posted) {
    Object.assign(this, { base, session, catalog, posted, replies: new Map() });
    this.bySeq = new Map(frames.filter((f) => f.seq).map((f) => [f.seq, f]));
    this.frames = frames;
  }
  /** One frame a step: when a run comes to rest its last token is told again. */
  of(channel, run) {
    const steps = new Map([...this.bySeq.values()].filter((f) => f.channel === channel && f.run === run).map((f) => [f.step, f]));
    return [...steps.values()].sort((a, b) => a.step - b.step);
  }
  async reply(key, request) {
    if (this.replies.has(key)) return this.replies.get(key);
    let answer;
    if (request.body) answer = this.posted.find((one) => one.path === request.path && JSON.stringify({ ...one.body, session: undefined }) === JSON.stringify(request.body))?.answer;
    else {
      const query = new URLSearchParams({ ...request.query, session: this.session, format: 'json' });
      answer = await (await fetch(new URL(`${request.path}?${query}`, this.base))).json();
      if (request.path === 'rows') answer = request.how === 'statistics' ? { layer: request.query.layer, heads: answer.map((f) => statistics(f.data)) } : answer[request.pick ?? 0].data;
      if (request.path === 'tile') answer = { ...answer.data, max: answer.data.max.flat(), mean: answer.data.mean.flat() };
    }
    this.replies.set(key, answer);
    return answer;
  }
  async value(page, source) {
    const [key, route = ''] = source.split('#');
    if (key === 'catalog') return at(this.catalog, route);
    if (key === 'kv') return at(this.frames.findLast((f) => f.channel === 'kv' && f.data.groups)?.data, route);
    if (key.startsWith('reply')) return at(await this.reply(key, await page.evaluate((one) => window.orreryProbe.request(one), key)), route);
    if (/^run\d+$/.test(key)) return at(this.frames.findLast((f) => f.channel === 'run' && f.run === Number(key.slice(3)))?.data, route);
    if (key === 'routes') {
      const [run, layer] = route.split('.').map(Number);
      return this.of('route', run).flatMap((f) => f.data.layers.filter((l) => l.layer === layer).map((l) => l.experts));
    }
    if (key === 'tokens') return this.of('token', Number(route)).map((f) => f.data);
    const frame = this.bySeq.get(Number(key.slice(1)));
    return route === 'step' ? frame?.step : at(frame?.data, route);
  }

  /** What a derived number must be, from its sources, by a computation of our own. */
  async derived(page, src, how) {
    const [word, ...rest] = how.split(' ');
    const [n, of] = rest.map(Number);
    const all = async (text) => Promise.all(text.split(' ').filter(Boolean).map((one) => this.value(page, one)));
    if (word === 'ratio') {
      const [below, above] = await Promise.all(src.split(' : ').map(all));
      return sum(above) / sum(below);
    }
    const values = await all(src);
    const choices = values[0];
    const count = (e) => choices.filter((token) => token.some((one) => one.id === e)).length;
    const experts = () => this.catalog.spec.layers[Number(src.split('.').at(-1))].ffn.experts;
    const counts = () => Array.from({ length: experts() }, (_, e) => count(e));
    switch (word) {
      case 'sum': return sum(values);
      case 'difference': return values[0] - values[1];
      case 'rate': return ((values[0] - values[1]) * 1000) / values[2];
      case 'count': return count(n);
      case 'share': return count(n) / choices.length;
      case 'part': return (values[0] * n) / of;
      case 'surprise': { const scored = choices.filter((t) => t.logprob !== null); return -sum(scored.map((t) => t.logprob)) / scored.length; }
      case 'characters': { const plain = choices.filter((t) => !t.special); return sum(plain.map((t) => [...t.text].length)) / plain.length; }
      case 'hits': { // Of the last `n` different experts, one after another.
        let [hits, all] = [0, 0];
        let held = [];
        for (const { id } of choices.flat()) {
          all++;
          if (held.includes(id)) hits++;
          held = [id, ...held.filter((one) => one !== id)].slice(0, n);
        }
        return hits / all;
      }
      case 'gini': { const c = counts(); return sum(c.flatMap((a) => c.map((b) => Math.abs(a - b)))) / (2 * c.length * sum(c)); }
      case 'overflow': { const c = counts(); const limit = Math.ceil((n * sum(c)) / c.length); return sum(c.map((one) => Math.max(0, one - limit))) / sum(c); }
      case 'balance': {
        const [run, layer] = src.split('#')[1].split('.').map(Number);
        const scores = this.of('route.full', run).flatMap((f) => f.data.layers.filter((l) => l.layer === layer).map((l) => l.scores));
        return experts() * sum(counts().map((c, e) => (c / choices.length) * (sum(scores.map((s) => s[e])) / scores.length)));
      }
      default: throw new Error(`no formula is known for ${how}`);
    }
  }

  async compare(page, { text, src, how, fmt, where }) {
    const wanted = how ? await this.derived(page, src, how) : await this.value(page, src);
    if (fmt === 'text') return null;
    const found = shown(text, fmt);
    if (found === null) return wanted === null || wanted === undefined || Number.isNaN(wanted) ? null : `${where}: a dash, but ${src} is ${wanted}`;
    // Statistics come from weights that the two sides read in two forms, so the last digits may differ.
    const slack = found.half + Math.abs(wanted) * 1e-6;
    return typeof wanted === 'number' && Math.abs(found.value - wanted) <= slack ? null : `${where}: “${text}” is shown, ${src}${how ? ` (${how})` : ''} gives ${wanted}`;
  }
}

/** What stands on the page now: numbers with sources, sentences, and what looks like a number of nobody. */
const collect = (page) => page.evaluate(() => {
  const where = (e) => `${document.querySelector('main').dataset.instrument}/${e.closest('[data-panel]')?.dataset.panel ?? e.closest('footer, header, main').tagName}`;
  const visible = (e) => e.getClientRects().length > 0 && !e.closest('.hidden');
  const sourced = [...document.querySelectorAll('[data-src]:not([data-summary])')].filter(visible).map((e) => ({ text: e.textContent, src: e.dataset.src, how: e.dataset.how, fmt: e.dataset.fmt, prov: e.dataset.prov, where: where(e) }));
  const sentences = [...document.querySelectorAll('[data-summary]')].filter(visible).map((e) => ({ text: e.textContent, said: JSON.parse(e.dataset.said ?? '[]'), where: where(e) }));
  const loose = [];
  const walk = document.createTreeWalker(document.querySelector('.page'), NodeFilter.SHOW_TEXT);
  const looks = /\d[.,]\d|\d\s?(%|[KMG]iB|ms|×)|\d\s(B|M|k)\b|\d{3,}/;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const e = node.parentElement;
    if (!looks.test(node.textContent) || !visible(e)) continue;
    if (e.closest('[data-src], [data-summary], [data-axis], .readout, .text, .pieces, select, textarea, option, aside, dialog, .name, bdi, .mono, .menu, .md, .said, code, [data-state]')) continue;
    loose.push(`${where(e)}: “${node.textContent.trim().slice(0, 80)}”`);
  }
  return { sourced, sentences, loose };
});

const inSentence = (text) => text.replace(/“[^”]*”/g, '').match(/[−-]?\d[\d,]*(?:\.\d+)?(?:\s?(?:%|[KMGT]iB|×|ms))?/g) ?? [];

async function crawl(page, open, cells) {
  const bad = [];
  const { sourced, sentences, loose } = await collect(page);
  // What the page shows it has from frames that are there by now.
  const book = await open();
  for (const one of [...sourced, ...cells]) {
    if (!one.fmt) bad.push(`${one.where}: “${one.text}” says no format`);
    else if (!['measured', 'exact', 'derived', 'predicted', 'recorded'].includes(one.prov)) bad.push(`${one.where}: “${one.text}” has the badge ${one.prov}`);
    else if (one.prov === 'derived' && !one.how && !one.src.startsWith('reply')) bad.push(`${one.where}: “${one.text}” is derived by no formula`);
    else if (one.fmt !== 'text') {
      // A label may hold several numbers, each of one of its sources.
      const parts = one.how || /^[^a-z]*$/i.test(one.text.replace(/[KMGT]iB|ms|\b[BMTk]\b|\de[+−-]\d/g, '')) ? [one.text] : (one.text.match(/[−-]?\d[\d,]*(?:\.\d+)?(?:\s?(?:%|[KMGT]iB|×|ms|B|M|k)\b)?%?/g) ?? []);
      const sources = one.how ? [one.src] : one.src.split(' ');
      for (const part of parts) {
        const tried = [];
        for (const src of sources) tried.push(await book.compare(page, { ...one, text: part, src }));
        if (tried.every(Boolean)) bad.push(tried[0]);
      }
    }
  }
  for (const { text, said, where } of sentences) {
    for (const one of said) {
      const wrong = await book.compare(page, { ...one, where: `${where}, the sentence` });
      if (wrong) bad.push(wrong);
      if (!text.includes(one.text)) bad.push(`${where}: the sentence does not say ${one.text}`);
    }
    // Whole numbers that count rows, positions, layers, heads are the table's; the rest must be sourced.
    const known = new Set(said.map((one) => one.text));
    for (const number of inSentence(text)) if (/[.%×]|iB|ms/.test(number.replace(/\.$/, '')) && ![...known].some((one) => one.includes(number.trim())) && !cells.some((c) => c.text === number.trim())) bad.push(`${where}: the sentence says ${number} of nobody`);
  }
  bad.push(...loose.map((one) => `${one}: a number without a source`));
  return { bad, count: sourced.length + cells.length };
}

async function crawlAll(chrome, model, moe, chosen) {
  const page = await open(chrome, model.url, { init: `
    window.drawn = [];
    for (const [of, name] of [[Math, 'random'], [crypto, 'getRandomValues'], [crypto, 'randomUUID']]) {
      const real = of[name].bind(of);
      of[name] = (...given) => { window.drawn.push(name + new Error().stack); return real(...given); };
    }` });
  const posted = [];
  page.on('response', async (response) => {
    if (response.request().method() !== 'POST') return;
    posted.push({ path: new URL(response.url()).pathname.split('/').at(-1), body: JSON.parse(response.request().postData()), answer: await response.json().catch(() => null) });
  });
  await runIds(page, model.wanted.ids, { tokens_max: 12, sampler: { temperature: 0.8, top_k: 20 }, seed: 5 });
  const session = await page.evaluate(() => window.orreryProbe.session());
  const catalog = await (await fetch(new URL('catalog', model.url))).json();
  const bad = [];
  let count = 0;
  for (const one of chosen) {
    await go(page, one);
    if (one === 'tokens') await goTo(page, model.wanted.ids.length + 3);
    if (one === 'attention') { await lookAt(page, 1, 2); await page.click('[data-panel=window] .controls button'); }
    if (one === 'routing' && moe) await page.click('[data-panel=what] .controls button');
    if (one === 'chat') {
      await page.fill('#message', 'Hello there');
      await page.click('form .main');
      await page.waitForSelector('article.assistant small.rate', { timeout: 20000 });
    }
    await settle(page, 1100);
    const open = async () => new Book(model.url, session, await framesAsJson(model.url, session), catalog, posted);
    const first = await crawl(page, open, []);
    const cells = [];
    for (const panel of await page.$$eval('main [data-panel]', (all) => all.map((each) => each.dataset.panel))) {
      const { rows } = await readTable(page, panel, 50);
      cells.push(...rows.flat().filter((cell) => cell?.src).map((cell) => ({ ...cell, where: `${one}/${panel} (table)` })));
    }
    const second = await crawl(page, open, cells);
    bad.push(...first.bad, ...second.bad);
    count += first.count + second.count;
    if (one !== 'chat' && one !== 'compare' && !(one === 'routing' && !moe)) expect(first.count + cells.length > 10, `${one}: only ${first.count + cells.length} numbers were found`);
  }
  const drawn = await page.evaluate(() => window.drawn);
  expect(!drawn.length, `a random number was drawn: ${drawn[0]}`);
  const some = [...new Set(bad)];
  expect(!some.length, `${some.length} numbers without a true source:\n${some.slice(0, 25).join('\n')}`);
  await shut(page);
  return `${count} numbers`;
}

/** The probe finds a lie: the same crawl over a page whose numbers are changed by one digit. */
async function crawlBites(chrome, model) {
  const page = await open(chrome, model.url);
  await runIds(page, model.wanted.ids);
  await go(page, 'tokens');
  const session = await page.evaluate(() => window.orreryProbe.session());
  const catalog = await (await fetch(new URL('catalog', model.url))).json();
  const book = new Book(model.url, session, await framesAsJson(model.url, session), catalog, []);
  const { rows } = await readTable(page, 'text');
  const cell = rows[5].find((one) => one.fmt === 'f3');
  const lie = { ...cell, where: 'lie', text: cell.text.replace(/\d$/, (d) => String((Number(d) + 2) % 10)) };
  expect((await book.compare(page, { ...cell, where: '' })) === null, 'the truth is believed');
  expect((await book.compare(page, lie)) !== null, 'a changed digit is seen');
  await shut(page);
}

function noRandom() {
  const src = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'src');
  const bad = [];
  for (const name of readdirSync(src, { recursive: true })) {
    if (!/\.(ts|svelte)$/.test(name)) continue;
    const text = readFileSync(path.join(src, name), 'utf8');
    if (/Math\.random|getRandomValues|randomUUID/.test(text) && !name.endsWith('Settings.svelte')) bad.push(name);
  }
  expect(!bad.length, `these call a random generator: ${bad}`);
}

/** What is exported is what is shown: CSV and SVG of panels beside their tables. */
async function exportsAgree(chrome, model) {
  const page = await open(chrome, model.url);
  await runIds(page, model.wanted.ids);
  const save = async (panel, kind) => {
    await page.click(`[data-panel=${panel}] .menu > summary`);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(`[data-panel=${panel}] .menu .list button:text-is("${kind}")`)]);
    return readFileSync(await download.path());
  };
  await go(page, 'tokens');
  await goTo(page, model.wanted.ids.length);
  const svg = (await save('ladder', 'SVG')).toString();
  const texts = await page.$$eval('[data-panel=ladder] svg[role=img] text', (all) => all.map((e) => e.textContent));
  const inFile = await page.evaluate((source) => {
    const file = new DOMParser().parseFromString(source, 'image/svg+xml');
    return { error: file.querySelector('parsererror')?.textContent, texts: [...file.querySelectorAll('text')].map((e) => e.textContent), title: file.querySelector('title')?.textContent, desc: file.querySelector('desc')?.textContent };
  }, svg);
  expect(!inFile.error, `the SVG is no XML: ${inFile.error}`);
  expect(String(inFile.texts.slice(0, -1)) === String(texts), 'the SVG says what the page says');
  expect(inFile.title && inFile.desc && /Orrery.*seed|Orrery.*run/.test(inFile.texts.at(-1)), 'title, description and where it is from');
  for (const [kind, scale] of [['PNG', 1], ['PNG 2×', 2]]) {
    const png = await save('ladder', kind);
    const box = await page.$eval('[data-panel=ladder] .scene svg', (e) => e.viewBox.baseVal.width);
    expect(png.readUInt32BE(16) === Math.ceil(box * scale), `${kind} is ${png.readUInt32BE(16)} wide, the picture ${box}`);
  }
  const json = JSON.parse((await save('ladder', 'JSON')).toString());
  const lines = (await save('ladder', 'CSV')).toString().trim().split('\r\n');
  expect(json.frames.length > 0 && json.provenance.includes('Orrery'), 'the JSON has its frames');
  const token = json.frames[0].data;
  expect(lines.length === token.candidates.length + 1, `${lines.length} lines of CSV`);
  token.candidates.forEach((c, i) => {
    const fields = lines[i + 1].match(/("([^"]|"")*"|[^,]*)(,|$)/g).map((f) => f.replace(/,$/, ''));
    expect(Number(fields[0]) === c.id && Number(fields[2]) === c.logprob && Number(fields[3]) === c.probability, `line ${i}: ${lines[i + 1]} is not ${JSON.stringify(c)}`);
  });
  await shut(page);
}

/** A saved run, opened in a fresh page with no engine, shows the same tables; its badge is another. */
async function recordingAgrees(chrome, model) {
  const page = await open(chrome, model.url);
  await runIds(page, model.wanted.ids);
  await go(page, 'tokens');
  const before = await readTable(page, 'text');
  await page.click('.verbs .menu > summary');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('.verbs .menu button:text-is("Save run")')]);
  const { serve } = await import('./server.mjs');
  const nobody = await serve({ handle: () => ({ status: 500, code: 'model_error', message: 'nobody', hint: '' }) });
  const other = await open(chrome, nobody.url);
  await other.setInputFiles('#orx', await download.path());
  await other.waitForSelector('.model small[data-state=replay]');
  await go(other, 'tokens');
  const after = await readTable(other, 'text');
  const words = (table) => table.rows.map((row) => row.map((cell) => cell.text).join('|')).join('\n');
  expect(words(before) === words(after), 'the recording shows the same table');
  expect(after.rows[3][3].prov === 'recorded', `the badge of a recorded number is ${after.rows[3][3].prov}`);
  await go(other, 'attention');
  await go(other, 'memory');
  expect(!other.problems.length, `the page's console: ${other.problems}`);
  nobody.close();
  await shut(other);
  await shut(page);
}

/** The address brings the cursor back; a link without its model or run says so. */
async function addressWorks(chrome, model) {
  const page = await open(chrome, model.url);
  await runIds(page, model.wanted.ids);
  await go(page, 'tokens');
  await goTo(page, 7);
  await go(page, 'attention');
  await lookAt(page, 1, 2);
  await settle(page, 400);
  const url = page.url();
  expect(/#\/attention\?.*l=1&h=2.*t=7/.test(url) && !url.includes('Hello'), `the address is ${url}`);
  await page.reload();
  await page.waitForFunction(() => document.querySelector('[data-cursor=token]')?.textContent === '7');
  const cursor = await page.$$eval('[data-cursor]', (all) => all.map((e) => e.textContent).join());
  expect(cursor === '7,1,2', `after loading again the cursor is ${cursor}`);
  const other = await open(chrome, url.replace(/model=[0-9a-f]+/, 'model=1111111111111111'));
  await other.waitForSelector('[data-state=other_model]');
  await other.waitForSelector('[data-state=missing_run]');
  await shut(other);
  await shut(page);
}

export default function truth(chrome, models) {
  check('every number has a true source: a dense model', () => crawlAll(chrome, models.llama_f32, false, instruments));
  check('every number has a true source: a mixture', () => crawlAll(chrome, models.mixtral, true, ['routing', 'memory']));
  check('every number has a true source: a window', () => crawlAll(chrome, models.mistral_window, false, ['attention', 'memory']));
  check('the crawler sees a changed digit', () => crawlBites(chrome, models.llama_f32));
  check('no instrument may draw a random number', noRandom);
  check('exports say what the page says', () => exportsAgree(chrome, models.llama_f32));
  check('a saved run shows the same without an engine', () => recordingAgrees(chrome, models.mixtral));
  check('the address brings the cursor back, and says what is missing', () => addressWorks(chrome, models.llama_f32));
}
