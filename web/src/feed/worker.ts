// Reads the one stream, decodes it, keeps the recording and hands frames on in bunches, at most 60
// a second, so that the page draws at its own pace. It never touches the page.
import { type Frame, BrokenFrame, Decoder } from './frame.ts';
import { Ring, orxBody } from './ring.ts';

export type ToWorker =
  | { type: 'open'; url: string; since: number }
  | { type: 'close' }
  | { type: 'save' }
  | { type: 'replay'; file: Uint8Array };
export type FromWorker =
  | { type: 'frames'; frames: Frame[]; bytes: number; unknown: number; gone: number[] }
  | { type: 'opened' }
  | { type: 'closed'; status: number; message: string; code: string }
  | { type: 'saved'; parts: Uint8Array[] }
  | { type: 'replayed'; message: string };

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromWorker) => scope.postMessage(message);

let ring = new Ring();
let decoder = new Decoder();
let batch: Frame[] = [];
let gone: number[] = [];
let timer = 0;
let stop: AbortController | null = null;

function flush() {
  timer = 0;
  if (batch.length) {
    send({ type: 'frames', frames: batch, bytes: ring.bytes, unknown: decoder.unknown, gone });
  }
  batch = [];
  gone = [];
}

function take(chunk: Uint8Array) {
  for (const { raw, frame } of decoder.push(chunk)) {
    if (!frame) continue;
    const { seq, run, channel } = frame;
    for (const old of ring.push({ raw, seq, run, channel })) gone.push(old.seq);
    batch.push(frame);
  }
  if (batch.length && !timer) timer = scope.setTimeout(flush, 16);
}

async function open(url: string, since: number) {
  stop?.abort();
  stop = new AbortController();
  const { signal } = stop;
  const names = decoder.stageNames;
  decoder = new Decoder();
  decoder.stageNames = names;
  try {
    const answer = await fetch(`${url}&since=${since}`, { signal, cache: 'no-store' });
    if (!answer.ok || !answer.body) {
      const error = await answer.json().catch(() => ({}));
      send({ type: 'closed', status: answer.status, message: error.message ?? '', code: error.code ?? '' });
      return;
    }
    send({ type: 'opened' });
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      take(value);
    }
    flush();
    send({ type: 'closed', status: 0, message: decoder.waiting ? 'in the middle of a frame' : '', code: '' });
  } catch (error) {
    flush();
    if (signal.aborted) return;
    const broken = error instanceof BrokenFrame ? (error as Error).message : '';
    send({ type: 'closed', status: 0, message: broken, code: broken ? 'broken_frame' : '' });
  }
}

function replay(file: Uint8Array) {
  stop?.abort();
  const body = orxBody(file);
  if (!body) {
    send({ type: 'replayed', message: 'This is no recording of Orrery.' });
    return;
  }
  ring = new Ring();
  decoder = new Decoder();
  gone = [];
  let message = '';
  try {
    take(body);
    if (decoder.waiting) message = 'The recording ends in the middle of a frame; what was whole is shown.';
  } catch (error) {
    message = error instanceof Error ? error.message : String(error);
  }
  flush();
  send({ type: 'replayed', message });
}

scope.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.type === 'open') open(message.url, message.since);
  if (message.type === 'close') stop?.abort();
  if (message.type === 'save') send({ type: 'saved', parts: ring.save() });
  if (message.type === 'replay') replay(message.file);
};
