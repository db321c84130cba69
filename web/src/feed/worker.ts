// Reads the one stream, cuts it into frames, keeps the recording and hands frames on in bunches, at most
// 60 a second, so that the page draws at its own pace. They go over as bytes, which costs nothing;
// objects would be copied one by one. It never touches the page.
import { BrokenFrame, Cutter, kEpochFrames, kEpochRuns, type Piece } from './frame.ts';
import { Ring, orxBody } from './ring.ts';

export type ToWorker =
  | { type: 'open'; url: string; since: number; epoch: number }
  | { type: 'close' }
  | { type: 'save' }
  | { type: 'replay'; file: Uint8Array };
export type FromWorker =
  | { type: 'frames'; bytes: Uint8Array; kept: number; gone: number[] }
  | { type: 'opened' }
  | { type: 'closed'; status: number; message: string; code: string }
  | { type: 'saved'; parts: Uint8Array[] }
  | { type: 'replayed'; message: string };

const scope = self as unknown as DedicatedWorkerGlobalScope;
const send = (message: FromWorker, move: Transferable[] = []) => scope.postMessage(message, move);

let ring = new Ring();
let cutter = new Cutter();
let batch: Uint8Array[] = [];
let gone: number[] = [];
let timer = 0;
let stop: AbortController | null = null;
let epoch = 0;

function flush() {
  timer = 0;
  if (batch.length) {
    const bytes = new Uint8Array(batch.reduce((sum, raw) => sum + raw.length, 0));
    let at = 0;
    for (const raw of batch) {
      bytes.set(raw, at);
      at += raw.length;
    }
    send({ type: 'frames', bytes, kept: ring.bytes, gone }, [bytes.buffer]);
  }
  batch = [];
  gone = [];
}

/** A new session counts from 1 again: its numbers are moved past those of the sessions before. */
function shift(piece: Piece) {
  const view = new DataView(piece.raw.buffer, piece.raw.byteOffset);
  if (piece.seq) {
    piece.seq += epoch * kEpochFrames;
    view.setBigUint64(8, BigInt(piece.seq), true);
  }
  if (piece.run) {
    piece.run += epoch * kEpochRuns;
    view.setUint32(16, piece.run, true);
  }
}

function take(chunk: Uint8Array) {
  try {
    cutter.push(chunk, (piece) => {
      piece.raw = piece.raw.slice();
      if (epoch) shift(piece);
      for (const old of ring.push(piece)) gone.push(old.seq);
      batch.push(piece.raw);
    });
  } finally {
    if (batch.length && !timer) timer = scope.setTimeout(flush, 16);
  }
}

async function open(url: string, since: number, era: number) {
  stop?.abort();
  stop = new AbortController();
  const { signal } = stop;
  cutter = new Cutter();
  epoch = era;
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
    send({ type: 'closed', status: 0, message: cutter.waiting ? 'in the middle of a frame' : '', code: '' });
  } catch (error) {
    flush();
    if (signal.aborted) return;
    const broken = error instanceof BrokenFrame ? (error as Error).message : '';
    if (broken) stop?.abort();
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
  cutter = new Cutter();
  epoch = 0;
  gone = [];
  let message = '';
  try {
    take(body);
    if (cutter.waiting) message = 'The recording ends in the middle of a frame; what was whole is shown.';
  } catch (error) {
    message = error instanceof Error ? error.message : String(error);
  }
  flush();
  send({ type: 'replayed', message });
}

scope.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.type === 'open') open(message.url, message.since, message.epoch);
  if (message.type === 'close') stop?.abort();
  if (message.type === 'save') send({ type: 'saved', parts: ring.save() });
  if (message.type === 'replay') replay(message.file);
};
