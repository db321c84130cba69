// Reads off the page's tables what transformers knows better: node tests/oracle.mjs URL WANTED.json
// prints one JSON object of what the page shows for a prompt of these ids. tests/web/run.py compares.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { browser, expect, fromDist, go, goTo, lookAt, numberOf, open, readTable, runIds, shut, until } from './drive.mjs';

const numbers = (rows, ...at) => rows.map((row) => at.map((i) => numberOf(row[i].text)));

async function readRow(page, layer, head) {
  await lookAt(page, layer, head);
  await until(`row ${layer}.${head}`, async () => {
    const text = await page.textContent('[data-panel=row] [data-summary]');
    return text.startsWith(`Layer ${layer}, head ${head} looks`);
  });
  const { rows } = await readTable(page, 'row');
  const check = numberOf(await page.textContent('[data-panel=row] p.note .num'));
  return { cells: numbers(rows, 0, 2), check };
}

export async function look(chrome, url, wanted) {
  const page = await open(chrome, url);
  const length = wanted.ids.length;
  await runIds(page, wanted.ids);
  await go(page, 'tokens');
  const out = { rows: [], routes: {} };
  out.tokens = numbers((await readTable(page, 'text')).rows, 0, 1, 3, 4, 5);
  await page.click('[data-panel=text] header button[aria-pressed]');
  await goTo(page, length);
  out.candidates = numbers((await readTable(page, 'ladder')).rows, 0, 2);
  await goTo(page, length - 1);

  await go(page, 'attention');
  for (let layer = 0; layer < wanted.layers; layer++) {
    out.rows.push([]);
    for (let head = 0; head < wanted.heads; head++) out.rows[layer].push(await readRow(page, layer, head));
  }
  const [layer, head] = wanted.matrix_at;
  await lookAt(page, layer, head);
  await until('the matrix', async () => (await page.textContent('[data-panel=matrix] [data-summary]')).startsWith(`Layer ${layer}, head ${head}:`));
  out.matrix = numbers((await readTable(page, 'matrix')).rows, 0, 1, 2);

  await go(page, 'routing');
  out.honest = await page.locator('[data-state=not_applicable]').count();
  out.lanes = await page.locator('main .panel').count();
  for (const at of wanted.expert_layers) {
    await lookAt(page, at, 0, 'expert');
    const { rows, columns } = await readTable(page, 'experts');
    const chosen = columns.filter((name) => /^expert \d+$/.test(name)).length;
    out.routes[at] = rows.map((row) => ({
      step: numberOf(row[0].text), margin: numberOf(row.at(-1).text),
      experts: Array.from({ length: chosen }, (_, k) => ({ id: numberOf(row[2 + 2 * k].text), weight: numberOf(row[3 + 2 * k].text) })),
    }));
  }
  await go(page, 'memory');
  const { rows, summary } = await readTable(page, 'positions');
  out.masked = rows.filter((row) => row[4].text === 'masked').map((row) => numberOf(row[0].text));
  out.memory = { positions: rows.length, summary };
  out.problems = page.problems;
  expect(out.tokens.length === length + 2, `the page shows ${out.tokens.length} tokens of ${length + 2}`);
  await shut(page);
  return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const chrome = await browser();
  const jobs = Object.values(await fromDist(JSON.parse(readFileSync(process.argv[2], 'utf8'))));
  await Promise.all(jobs.map(async (job) => {
    const found = await look(chrome, job.url, job.wanted).catch((error) => ({ error: String(error?.stack ?? error) }));
    console.log(JSON.stringify({ name: job.name, ...found }));
  }));
  await chrome.close();
  process.exit(0);
}
