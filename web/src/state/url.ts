// The cursor in the address's fragment, which a browser never sends to a server. The prompt stands
// there only when the user asked for it. Back and forward bring a cursor back.
import { instruments, store, type Instrument } from './store.svelte.ts';

export function readUrl() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  if ((instruments as readonly string[]).includes(path)) store.instrument = path as Instrument;
  const q = new URLSearchParams(query);
  const number = (name: string) => {
    const value = Number(q.get(name));
    return q.has(name) && Number.isInteger(value) && value >= 0 && value < 1e7 ? value : null;
  };
  store.layer = number('l') ?? store.layer;
  store.head = number('h') ?? store.head;
  store.expert = number('x') ?? store.expert;
  store.window = number('w') ?? store.window;
  const step = number('t');
  if (step !== null) {
    store.step = step;
    store.follow = false;
  }
  const run = number('r');
  if (run !== null) store.runId = run;
  const scale = q.get('scale');
  if (scale === 'log' || scale === 'linear' || scale === 'rank') store.scale = scale;
  if (q.get('sinks') === '1') store.sinks = false;
  store.a = q.get('a') ?? store.a;
  store.b = q.get('b') ?? store.b;
  store.seed = /^\d{1,19}$/.test(q.get('seed') ?? '') ? q.get('seed')! : store.seed;
  const prompt = q.get('prompt');
  if (prompt !== null) {
    store.promptText = prompt;
    store.includePrompt = true;
  }
  const model = q.get('model');
  if (model) store.prefer = model;
}

export function urlOf(): string {
  const q = new URLSearchParams();
  if (store.catalog?.model?.hash) q.set('model', store.catalog.model.hash);
  if (store.a) q.set('a', store.a);
  if (store.b) q.set('b', store.b);
  q.set('l', String(store.layer));
  q.set('h', String(store.head));
  if (store.expert) q.set('x', String(store.expert));
  if (store.runId) q.set('r', String(store.runId));
  if (!store.follow) q.set('t', String(store.step));
  if (store.scale !== 'log') q.set('scale', store.scale);
  if (!store.sinks) q.set('sinks', '1');
  if (store.window) q.set('w', String(store.window));
  if (store.seed) q.set('seed', store.seed);
  if (store.includePrompt && store.promptText) q.set('prompt', store.promptText);
  return `#/${store.instrument}?${q}`;
}

let last = '';
/** Another instrument is a new entry of the history, another cursor changes the entry. */
export function writeUrl(url: string) {
  if (url === location.hash || url === last) return;
  const moved = url.split('?')[0] !== location.hash.split('?')[0];
  last = url;
  if (moved && location.hash) history.pushState(null, '', url);
  else history.replaceState(null, '', url);
}
