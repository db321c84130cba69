// What may go wrong between page and engine: streams that end in a frame, that hold what is no frame or
// an unknown one, lost frames, another model, slow and several readers. The page's text must come out
// the same in the end, or the page must say what is missing.
import { check, expect, go, instruments, live, lookAt, numberOf, settle, open, readTable, rested, runIds, shut, startRun, until } from './drive.mjs';
import { serve } from './server.mjs';
import { plain } from './frames.mjs';

const long = { tokens_max: 60, ignore_eos: true, sampler: { temperature: 0 } };
const texts = async (page) => {
  await go(page, 'tokens');
  return (await readTable(page, 'text')).rows.map((row) => row.slice(0, 5).map((cell) => cell.text).join('|')).join('\n');
};

async function between(chrome, model, options, test) {
  const proxy = await serve({ upstream: new URL(model.url).origin, ...options });
  const page = await open(chrome, proxy.url);
  try {
    await test(page, proxy);
    expect(!page.problems.length, `the page's console: ${page.problems}`);
  } finally {
    await shut(page);
    proxy.close();
  }
}
/** The text of the same prompt without faults. */
async function truth(chrome, model) {
  const page = await open(chrome, model.url);
  await startRun(page, { tokens: model.wanted.ids, prompt_logprobs: true, ...long });
  await rested(page);
  const text = await texts(page);
  await shut(page);
  return text;
}
const begin = (page, model) => startRun(page, { tokens: model.wanted.ids, prompt_logprobs: true, ...long });

export default function faults(chrome, models) {
  const model = models.llama_f32;
  let known;
  const wantedText = () => (known ??= truth(chrome, model));
  const same = async (page) => {
    await live(page);
    await rested(page);
    expect((await texts(page)) === (await wantedText()), 'the text is not the one of a stream without faults');
  };

  check('a stream that is cut in the middle of a frame goes on where it was', async () => {
    let cut = 0;
    const options = { mangle: (frame, response, answer, count) => {
      if (count === 25 && !cut++) {
        response.write(frame.subarray(0, frame.length - 9));
        setTimeout(() => { response.destroy(); answer.destroy(); }, 30);
      } else if (!response.destroyed) response.write(frame);
    } };
    await between(chrome, model, options, async (page) => {
      await begin(page, model);
      await until('the cut', () => cut);
      await until('the link again', async () => (await page.textContent('.model small')).includes('ended'), 15000);
      await same(page);
      expect((await page.locator('[data-state=gap]').count()) === 0, 'nothing was lost');
    });
  });

  check('the engine dies and comes back: the page says so, keeps what it has, and goes on', async () => {
    const gate = { upstream: new URL(model.url).origin };
    const proxy = await serve(gate);
    const page = await open(chrome, proxy.url);
    await begin(page, model);
    await rested(page);
    gate.down = true;
    proxy.cut();
    await page.waitForSelector('.bar[data-state=disconnected]');
    expect((await texts(page)) === (await wantedText()), 'what was seen stays');
    expect(await page.isDisabled('.verbs button:text-is("Continue")'), 'nothing can be asked of nobody');
    gate.down = false;
    await page.waitForSelector('.bar[data-state=disconnected]', { state: 'detached', timeout: 20000 });
    await same(page);
    await shut(page);
    proxy.close();
  });

  check('another model answers: the old run stays, marked, and a new one begins', async () => {
    const gate = { upstream: new URL(model.url).origin };
    const proxy = await serve(gate);
    const page = await open(chrome, proxy.url);
    await begin(page, model);
    await rested(page);
    gate.upstream = new URL(models.mixtral.url).origin;
    proxy.cut();
    await page.waitForSelector('.bar[data-state=restarted]', { timeout: 15000 });
    expect((await texts(page)) === (await wantedText()), 'the old run can still be read');
    expect(await page.isDisabled('.verbs button:text-is("Branch")'), 'the old run cannot be asked about');
    await startRun(page, { tokens: models.mixtral.wanted.ids, ...long, tokens_max: 4 });
    await page.waitForSelector('select#run option:nth-child(2)', { state: 'attached' });
    const names = await page.$$eval('select#run option', (all) => all.map((one) => one.textContent));
    expect(names[0].includes('earlier') && !names[1].includes('earlier'), `the runs are called ${names}`);
    await page.selectOption('select#run', { index: 1 });
    await until('the new run', async () => (await page.textContent('main')).includes('log p'));
    expect((await readTable(page, 'text')).rows.length === models.mixtral.wanted.ids.length + 4, 'the new run is whole');
    await page.selectOption('select#run', { index: 0 });
    expect((await texts(page)) === (await wantedText()), 'and the old one is what it was');
    expect(!page.problems.length, `the page's console: ${page.problems}`);
    await shut(page);
    proxy.close();
  });

  check('unknown channels are passed over', () => between(chrome, model, { mangle: (frame, response) => response.write(Buffer.concat([plain(200, {}, Buffer.alloc(40, 7)), frame])) }, async (page) => {
    await begin(page, model);
    await same(page);
  }));

  check('what is no frame ends the stream, and the page reads it anew', async () => {
    let broken = 0;
    await between(chrome, model, { mangle: (frame, response, answer, count) => {
      if (count === 20 && !broken++) response.write(Buffer.alloc(64, 0x41));
      else response.write(frame);
    } }, async (page) => {
      await begin(page, model);
      await until('the fault', () => broken);
      await until('the end', async () => (await page.textContent('.model small')).includes('live · ended'), 15000);
      await same(page);
    });
  });

  check('lost frames are counted and shown', () => between(chrome, model, { mangle: (frame, response) => {
    if (frame.readUInt8(3) !== 1 || frame.readUInt32LE(20) !== 50) response.write(frame);
  } }, async (page) => {
    await begin(page, model);
    await rested(page);
    expect(/\b1 frame lost/.test(await page.textContent('.dock')), `the dock says ${await page.textContent('.dock')}`);
    await go(page, 'tokens');
    const { rows } = await readTable(page, 'text');
    expect(!rows.some((row) => row[0].text === '50') && rows.some((row) => row[0].text === '51'), 'the lost token is absent, not invented');
  }));

  check('a reader that stalls loses nothing, or says what', async () => {
    let held = null;
    await between(chrome, model, { mangle: (frame, response, answer, count) => {
      response.write(frame);
      if (count === 30 && !held) (held = answer).pause();
    } }, async (page) => {
      await begin(page, model);
      await until('the stall', () => held);
      // The page reads nothing until the run is over: the engine did not wait for it.
      await until('the engine goes on', () => page.evaluate(async () => (await (await fetch(`state?session=${window.orreryProbe.session()}`)).json()).runs.at(-1).state === 'ended'), 15000);
      held.resume();
      await same(page);
    });
  });

  check('a page at rest asks the engine nothing', async () => {
    const asked = [];
    const slow = (url) => void (/stream|assets|explorer\/$/.test(url) || asked.push(url));
    await between(chrome, model, { slow }, async (page) => {
      await runIds(page, model.wanted.ids);
      for (const one of instruments) {
        await go(page, one);
        await settle(page, 2500);
        const before = asked.length;
        await settle(page, 1600);
        expect(asked.length === before, `${one} asks on and on: ${asked.slice(before, before + 3)}`);
      }
    });
  });

  check('an answer that comes late does not take the place of a newer one', async () => {
    const late = [];
    let release;
    const held = new Promise((done) => (release = done));
    const slow = (url) => {
      if (!/\/(tile|rows)\?.*layer=0&/.test(url)) return undefined;
      late.push(url);
      return held;
    };
    await between(chrome, model, { slow }, async (page) => {
      await runIds(page, model.wanted.ids);
      await go(page, 'attention');
      await until('questions about layer 0', () => late.some((url) => url.includes('/tile')) && late.some((url) => url.includes('head=')), 20000);
      await lookAt(page, 1, 1);
      const said = (panel) => page.textContent(`[data-panel=${panel}] [data-summary]`);
      const right = async () => (await said('row')).startsWith('Layer 1, head 1') && (await said('matrix')).startsWith('Layer 1, head 1');
      await until('layer 1', right, 20000);
      release();
      await settle(page, 1200);
      expect(await right(), `the page shows: ${await said('row')} ${await said('matrix')}`);
    });
  });

  check('two tabs: each its own session, and one session in both', async () => {
    const page = await open(chrome, model.url);
    await runIds(page, model.wanted.ids, long);
    const other = await page.context().newPage();
    await other.goto(model.url);
    await live(other);
    await other.click('nav button[data-go=tokens]');
    await other.waitForSelector('[data-state=no_run]');
    const session = await page.evaluate(() => window.orreryProbe.session());
    const twin = await page.context().newPage();
    await twin.addInitScript((id) => sessionStorage.setItem('orrery-session', id), session);
    await twin.goto(model.url);
    await live(twin);
    await rested(twin);
    expect((await texts(twin)) === (await texts(page)), 'two tabs of one session show the same');
    await shut(page);
  });

  check('a wrong window would be seen: the memory map follows the events', async () => {
    const shift = (frame) => {
      const out = Buffer.from(frame);
      if (out.readUInt8(3) !== 8 || out.readUInt16LE(4) & 8) return out;
      for (let i = 0; i < out.readUInt32LE(32); i++) {
        const event = 40 + 16 * i;
        if (out.readUInt32LE(event) === 1) out.writeUInt32LE(out.readUInt32LE(event + 12) + 5, event + 12);
      }
      return out;
    };
    const masked = async (page) => {
      await runIds(page, models.mistral_window.wanted.ids);
      await go(page, 'memory');
      return (await readTable(page, 'positions')).rows.filter((row) => row[4].text === 'masked').map((row) => numberOf(row[0].text)).length;
    };
    const found = [];
    await between(chrome, models.mistral_window, {}, async (page) => found.push(await masked(page)));
    await between(chrome, models.mistral_window, { mangle: (frame, response) => response.write(shift(frame)) }, async (page) => found.push(await masked(page)));
    expect(found[0] === models.mistral_window.wanted.ids.length + 1 - 16 && found[1] === found[0] + 5, `masked: ${found}`);
  });
}
