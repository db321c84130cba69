// The frames of docs/formats/feed.md, decoded from bytes into the shape of their JSON twins, except
// that long arrays stay typed. What is broken is an error that says where; what is unknown is passed
// over by its length. Candidates and experts, which are many and of which few are looked at, stay bytes
// until somebody asks (their lengths are checked at once). It does no I/O and keeps nothing.

export const kMagic = 0x524f;
export const kHeaderBytes = 32;
/** A frame longer than this is taken for a broken stream, not for data. */
export const kPayloadBytesMax = 64 << 20;
const kNone = 0xffffffff;
/** By how much the numbers of a session's frames and runs are moved past those of the one before. */
export const kEpochFrames = 2 ** 40;
export const kEpochRuns = 2 ** 20;

export const channelNames: Record<number, string> = {
  0: 'catalog', 1: 'token', 2: 'attn.stat', 3: 'attn.row', 4: 'attn.topk', 5: 'attn.tile',
  6: 'route', 7: 'route.full', 8: 'kv', 9: 'resid', 12: 'sys', 13: 'run', 14: 'gap',
};

export interface Frame<T = any> {
  seq: number;
  channel: string;
  run: number;
  step: number;
  time_us: number;
  last: boolean;
  thinned: boolean;
  replay: boolean;
  data: T;
}
export interface Candidate {
  id: number;
  text: string;
  logprob: number;
  probability: number;
  bar_begin: number | null;
  dropped_by: string | null;
}
export interface Stage {
  stage: string;
  survivors: number;
  mass: number;
  value: number;
}
export interface Token {
  id: number;
  kind: number;
  logprob: number | null;
  entropy: number | null;
  u: number | null;
  bar_begin: number | null;
  bar_end: number | null;
  rank: number | null;
  forward_ms: number;
  observer_ms: number;
  special: boolean;
  stages: Stage[];
  candidates: Candidate[];
  bytes: number[];
  text: string;
}
export interface HeadStat {
  entropy: number;
  max: number;
  sink_mass: number;
  recent_mass: number;
  distance: number;
  null_mass: number;
}
export interface AttnStat {
  layer: number;
  first: number;
  keys: number;
  check_sum: number;
  check_value: number;
  head_begin: number;
  sparse: boolean;
  heads: HeadStat[];
}
export interface AttnRow {
  layer: number;
  head: number;
  first: number;
  keys: number;
  keys_per_bin: number;
  null_mass: number;
  sum: number;
  check_value: number;
  sparse: boolean;
  weights: Float32Array | number[];
  positions: ArrayLike<number> | null;
}
export interface TopK {
  layer: number;
  keys: number;
  heads: { position: number; weight: number }[][];
}
export interface Tile {
  layer: number;
  head: number;
  row0: number;
  row1: number;
  col0: number;
  col1: number;
  rows: number;
  cols: number;
  /** NaN where no query of the cell may see a key of it. */
  max: Float32Array;
  mean: Float32Array;
}
export interface RouteLayer {
  layer: number;
  margin: number;
  experts: { id: number; weight: number }[];
}
export interface RouteFullLayer {
  layer: number;
  scores: ArrayLike<number>;
  biased: ArrayLike<number> | null;
  kept: boolean[] | null;
}
export interface KvEvent {
  kind: string;
  group: number;
  page: number;
  position: number;
}
export interface KvSnapshot {
  page_tokens: number;
  pages: number;
  pages_free: number;
  pages_cached: number;
  page_bytes: number;
  format: string;
  groups: {
    group: number;
    kind: string;
    layers: number[];
    window: number;
    chunk: number;
    bytes_per_position: number;
    expanded_bytes_per_position: number;
  }[];
  runs: { run: number; length: number; pages: number[] }[];
  other_pages: number;
}
export interface Resid {
  norm: ArrayLike<number>;
  attention: ArrayLike<number>;
  ffn: ArrayLike<number>;
  cosine: ArrayLike<number>;
}
export interface RunState {
  run: number;
  parent: number | null;
  position: number | null;
  state: string;
  done: number;
  of: number;
  length: number;
  computed?: number;
  prompt_tokens: number;
  finish: string | null;
  error: string | null;
  prompt_ms: number | null;
  reply_ms: number | null;
}

export class BrokenFrame extends Error {}

const utf8 = new TextDecoder();
const orNull = (value: number) => (Number.isNaN(value) ? null : value);

/** What is made when it is first asked for. */
function late<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Reads a payload, and checks each count against the bytes that are there. */
class Reader {
  view: DataView;
  at = 0;
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  need(bytes: number) {
    if (this.at + bytes > this.view.byteLength) {
      throw new BrokenFrame(`a frame ends at byte ${this.view.byteLength}, ${this.at + bytes} needed`);
    }
  }
  u32() {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }
  f32() {
    this.need(4);
    this.at += 4;
    return this.view.getFloat32(this.at - 4, true);
  }
  f64() {
    this.need(8);
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }
  f32s(count: number) {
    this.need(count * 4);
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.view.getFloat32(this.at + 4 * i, true);
    this.at += count * 4;
    return out;
  }
  u32s(count: number) {
    this.need(count * 4);
    const out = new Uint32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.view.getUint32(this.at + 4 * i, true);
    this.at += count * 4;
    return out;
  }
  u16s(count: number) {
    this.need(count * 2);
    const out = new Uint16Array(count);
    for (let i = 0; i < count; i++) out[i] = this.view.getUint16(this.at + 2 * i, true);
    this.at += count * 2;
    return out;
  }
  peek(at: number) {
    return this.view.getUint32(at, true);
  }
  /** The next bytes as a reader of their own. */
  part(count: number) {
    return new Reader(this.bytes(count));
  }
  bytes(count: number) {
    this.need(count);
    const out = new Uint8Array(this.view.buffer, this.view.byteOffset + this.at, count);
    this.at += count;
    return out;
  }
  text(count: number) {
    return utf8.decode(this.bytes(count));
  }
}

function json(r: Reader) {
  const length = r.u32();
  r.u32();
  try {
    return JSON.parse(r.text(length));
  } catch {
    throw new BrokenFrame('a frame holds no JSON where JSON is said to be');
  }
}

function token(r: Reader, stageNames: string[]): Token {
  const id = r.u32();
  const kind = r.u32();
  const logprob = orNull(r.f32());
  const entropy = orNull(r.f32());
  const u = orNull(r.f64());
  const bar_begin = orNull(r.f32());
  const bar_end = orNull(r.f32());
  const rank = r.u32();
  const [count, stageCount, byteCount, textCount] = [r.u32(), r.u32(), r.u32(), r.u32()];
  const forward_ms = r.f32();
  const observer_ms = r.f32();
  const special = r.u32() === 1;
  r.need(stageCount * 16 + count * 24);
  const stages: Stage[] = [];
  for (let i = 0; i < stageCount; i++) {
    const stage = r.u32();
    stages.push({
      stage: stageNames[stage] ?? `stage ${stage}`, survivors: r.u32(), mass: r.f32(), value: r.f32(),
    });
  }
  const list = r.part(count * 24);
  const bytes = Array.from(r.bytes(byteCount));
  const text = r.text(textCount);
  let most = 0;
  for (let i = 0; i < count; i++) most += list.peek(i * 24 + 20);
  const names = r.part(most);
  const candidates = late(() => {
    const out: Candidate[] = [];
    for (let i = 0; i < count; i++) {
      const candidate = {
        id: list.u32(), text: '', logprob: list.f32(), probability: list.f32(), bar_begin: orNull(list.f32()),
      };
      const by = list.u32();
      const dropped_by = by === kNone ? null : (stages[by]?.stage ?? '?');
      out.push({ ...candidate, text: names.text(list.u32()), dropped_by });
    }
    return out;
  });
  return {
    id, kind, logprob, entropy, u, bar_begin, bar_end, rank: rank === kNone ? null : rank,
    forward_ms, observer_ms, special, stages, bytes, text,
    get candidates() { return candidates(); },
  };
}

function attnStat(r: Reader): AttnStat {
  const [layer, count, first, keys] = [r.u32(), r.u32(), r.u32(), r.u32()];
  const [check_sum, check_value, head_begin] = [r.f32(), r.f32(), r.u32()];
  const sparse = r.u32() === 1;
  r.need(count * 24);
  const heads: HeadStat[] = [];
  for (let i = 0; i < count; i++) {
    heads.push({
      entropy: r.f32(), max: r.f32(), sink_mass: r.f32(), recent_mass: r.f32(),
      distance: r.f32(), null_mass: r.f32(),
    });
  }
  return { layer, first, keys, check_sum, check_value, head_begin, sparse, heads };
}

function attnRow(r: Reader): AttnRow {
  const [layer, head, first, keys, bins, keys_per_bin] =
    [r.u32(), r.u32(), r.u32(), r.u32(), r.u32(), r.u32()];
  const [scale, null_mass, sum, check_value] = [r.f32(), r.f32(), r.f32(), r.f32()];
  const sparse = r.u32() === 1;
  r.u32();
  const weights = Float32Array.from(r.u16s(bins), (number) => (number * scale) / 65535);
  if (bins % 2) r.at += 2;
  const positions = sparse ? r.u32s(bins) : null;
  return {
    layer, head, first, keys, keys_per_bin, null_mass, sum, check_value, sparse, weights, positions,
  };
}

function topK(r: Reader): TopK {
  const [layer, count, k, keys] = [r.u32(), r.u32(), r.u32(), r.u32()];
  r.need(count * k * 8);
  const positions = r.u32s(count * k);
  const weights = r.f32s(count * k);
  const heads: TopK['heads'] = [];
  for (let h = 0; h < count; h++) {
    const head = [];
    for (let i = h * k; i < (h + 1) * k; i++) {
      if (positions[i] !== kNone) head.push({ position: positions[i], weight: weights[i] });
    }
    heads.push(head);
  }
  return { layer, keys, heads };
}

function tile(r: Reader): Tile {
  const [layer, head, row0, row1, col0, col1, rows, cols] =
    [r.u32(), r.u32(), r.u32(), r.u32(), r.u32(), r.u32(), r.u32(), r.u32()];
  const [scaleMax, scaleMean] = [r.f32(), r.f32()];
  r.u32();
  r.u32();
  r.need(rows * cols * 4);
  const read = (scale: number) =>
    Float32Array.from(r.u16s(rows * cols), (n) => (n === 65535 ? NaN : (n * scale) / 65534));
  return {
    layer, head, row0, row1, col0, col1, rows, cols, max: read(scaleMax), mean: read(scaleMean),
  };
}

function route(r: Reader): { layers: RouteLayer[] } {
  const [count, k] = [r.u32(), r.u32()];
  r.u32();
  r.u32();
  r.need(count * 8 + count * k * 8);
  const layers = late(() => {
    const layer = r.u32s(count);
    const margin = r.f32s(count);
    const ids = r.u32s(count * k);
    const weights = r.f32s(count * k);
    const out: RouteLayer[] = [];
    for (let m = 0; m < count; m++) {
      const experts = [];
      for (let i = m * k; i < (m + 1) * k; i++) {
        if (ids[i] !== kNone) experts.push({ id: ids[i], weight: weights[i] });
      }
      out.push({ layer: layer[m], margin: margin[m], experts });
    }
    return out;
  });
  return { get layers() { return layers(); } };
}

function routeFull(r: Reader): { layers: RouteFullLayer[] } {
  const [count, experts, flags, groups] = [r.u32(), r.u32(), r.u32(), r.u32()];
  const layer = r.u32s(count);
  const scores = r.f32s(count * experts);
  const biased = flags & 1 ? r.f32s(count * experts) : null;
  const kept = flags & 2 ? r.u32s(count * groups) : null;
  const part = <T extends Float32Array>(all: T, m: number) =>
    all.subarray(m * experts, (m + 1) * experts);
  const layers: RouteFullLayer[] = [];
  for (let m = 0; m < count; m++) {
    layers.push({
      layer: layer[m],
      scores: part(scores, m),
      biased: biased && part(biased, m),
      kept: kept && Array.from(kept.subarray(m * groups, (m + 1) * groups), (one) => one === 1),
    });
  }
  return { layers };
}

const kvKinds = ['write', 'leave', 'take', 'give', 'share'];

function kv(r: Reader): { events: KvEvent[] } {
  const count = r.u32();
  r.u32();
  r.need(count * 16);
  const events: KvEvent[] = [];
  for (let i = 0; i < count; i++) {
    const kind = r.u32();
    events.push({
      kind: kvKinds[kind] ?? `kind ${kind}`, group: r.u32(), page: r.u32(), position: r.u32(),
    });
  }
  return { events };
}

function resid(r: Reader): Resid {
  const count = r.u32();
  r.at += 12;
  return {
    norm: r.f32s(count), attention: r.f32s(count), ffn: r.f32s(count), cosine: r.f32s(count),
  };
}

/** The payload's meaning, or undefined for a channel that this page does not know. */
export function decodePayload(
  channel: number, isJson: boolean, payload: Uint8Array, stageNames: string[],
): unknown {
  const r = new Reader(payload);
  if (isJson) return json(r);
  switch (channel) {
    case 1: return token(r, stageNames);
    case 2: return attnStat(r);
    case 3: return attnRow(r);
    case 4: return topK(r);
    case 5: return tile(r);
    case 6: return route(r);
    case 7: return routeFull(r);
    case 8: return kv(r);
    case 9: return resid(r);
    default: return undefined;
  }
}

/** One whole frame as it came, a view of the bytes that were pushed, and what its header says. */
export interface Piece {
  raw: Uint8Array;
  seq: number;
  run: number;
  channel: number;
}

/** Cuts a stream of bytes into frames, whatever the pieces in which the bytes come. */
export class Cutter {
  private rest = new Uint8Array(0);

  /** Bytes that wait for the end of their frame. */
  get waiting() {
    return this.rest.length;
  }

  /** Hands on each whole frame, then throws if what follows is none: what was whole is not lost. */
  push(chunk: Uint8Array, take: (piece: Piece) => void) {
    let bytes = chunk;
    if (this.rest.length) {
      bytes = new Uint8Array(this.rest.length + chunk.length);
      bytes.set(this.rest);
      bytes.set(chunk, this.rest.length);
    }
    let at = 0;
    while (bytes.length - at >= kHeaderBytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, kHeaderBytes);
      if (view.getUint16(0, true) !== kMagic) {
        throw new BrokenFrame('the stream holds something that is no frame');
      }
      const headerBytes = view.getUint16(6, true) * 4;
      const payloadBytes = view.getUint32(28, true);
      if (headerBytes < kHeaderBytes || payloadBytes > kPayloadBytesMax) {
        throw new BrokenFrame(`a frame of ${payloadBytes} bytes is not believed`);
      }
      const total = headerBytes + payloadBytes;
      if (bytes.length - at < total) break;
      take({
        raw: bytes.subarray(at, at + total), channel: view.getUint8(3),
        seq: Number(view.getBigUint64(8, true)), run: view.getUint32(16, true),
      });
      at += total;
    }
    this.rest = bytes.slice(at);
  }
}

/** Whole frames into what they mean. One that is broken inside, or unknown, is counted and left out. */
export class Decoder {
  stageNames: string[] = [];
  unknown = 0;
  broken = 0;

  all(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    new Cutter().push(bytes, ({ raw }) => {
      try {
        const frame = this.one(raw);
        if (frame) frames.push(frame);
        else this.unknown++;
      } catch {
        this.broken++;
      }
    });
    return frames;
  }

  private one(raw: Uint8Array): Frame | null {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const name = channelNames[view.getUint8(3)];
    if (!name) return null;
    const flags = view.getUint16(4, true);
    const payload = raw.subarray(view.getUint16(6, true) * 4);
    const data = decodePayload(view.getUint8(3), (flags & 8) !== 0, payload, this.stageNames);
    if (data === undefined) return null;
    if (name === 'catalog') this.stageNames = (data as { stages?: string[] }).stages ?? [];
    return {
      seq: Number(view.getBigUint64(8, true)),
      channel: name,
      run: view.getUint32(16, true),
      step: view.getUint32(20, true),
      time_us: view.getUint32(24, true),
      last: (flags & 1) !== 0,
      thinned: (flags & 2) !== 0,
      replay: (flags & 4) !== 0,
      data,
    };
  }
}
