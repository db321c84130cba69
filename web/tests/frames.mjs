// Frames as docs/formats/feed.md writes them, made by hand: for texts and lengths that no model of the
// tests would give. Only what the tests need.
const kChannels = { catalog: 0, token: 1, route: 6, kv: 8, sys: 12, run: 13, gap: 14 };

function frame(channel, flags, { seq = 0, run = 0, step = 0 }, payload) {
  const size = Math.ceil(payload.length / 8) * 8;
  const out = Buffer.alloc(32 + size);
  out.writeUInt16LE(0x524f, 0);
  out.writeUInt8(1, 2);
  out.writeUInt8(kChannels[channel] ?? channel, 3);
  out.writeUInt16LE(flags, 4);
  out.writeUInt16LE(8, 6);
  out.writeBigUInt64LE(BigInt(seq), 8);
  out.writeUInt32LE(run, 16);
  out.writeUInt32LE(step, 20);
  out.writeUInt32LE(size, 28);
  payload.copy(out, 32);
  return out;
}
export const plain = (channel, at, payload = Buffer.alloc(8)) => frame(channel, 0, at, payload);
export function json(channel, at, data, flags = 0) {
  const text = Buffer.from(JSON.stringify(data));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(text.length, 0);
  return frame(channel, 8 | flags, at, Buffer.concat([head, text]));
}

/** A token frame; candidates: [[id, text, logprob, probability], …] of the same two stages. */
export function token(at, { id = 5, kind = 1, text = '', logprob = -0.5, entropy = 1, u = 0.25, rank = 0, special = 0, candidates = [], bytes = Buffer.from(text), flags = 0 }) {
  const texts = candidates.map(([, one]) => Buffer.from(one));
  const body = Buffer.from(text);
  const head = Buffer.alloc(64);
  head.writeUInt32LE(id, 0);
  head.writeUInt32LE(kind, 4);
  head.writeFloatLE(logprob, 8);
  head.writeFloatLE(entropy, 12);
  head.writeDoubleLE(u, 16);
  head.writeFloatLE(0.1, 24);
  head.writeFloatLE(0.6, 28);
  head.writeUInt32LE(rank, 32);
  head.writeUInt32LE(candidates.length, 36);
  head.writeUInt32LE(2, 40);
  head.writeUInt32LE(bytes.length, 44);
  head.writeUInt32LE(body.length, 48);
  head.writeFloatLE(3, 52);
  head.writeUInt32LE(special, 60);
  const stages = Buffer.alloc(32);
  [[0, 32000, 1, 0], [5, Math.max(1, candidates.length), 0.9, 20]].forEach(([stage, left, mass, value], i) => {
    stages.writeUInt32LE(stage, i * 16);
    stages.writeUInt32LE(left, i * 16 + 4);
    stages.writeFloatLE(mass, i * 16 + 8);
    stages.writeFloatLE(value, i * 16 + 12);
  });
  const list = Buffer.alloc(24 * candidates.length);
  candidates.forEach(([one, , p, after], i) => {
    list.writeUInt32LE(one, i * 24);
    list.writeFloatLE(p, i * 24 + 4);
    list.writeFloatLE(after, i * 24 + 8);
    list.writeFloatLE(i / 24, i * 24 + 12);
    list.writeUInt32LE(0xffffffff, i * 24 + 16);
    list.writeUInt32LE(texts[i].length, i * 24 + 20);
  });
  return frame('token', flags, at, Buffer.concat([head, stages, list, bytes, body, ...texts]));
}

export function route(at, layers) {
  const K = layers[0].experts.length;
  const out = Buffer.alloc(16 + layers.length * (8 + 8 * K));
  [layers.length, K, 8, 0].forEach((v, i) => out.writeUInt32LE(v, 4 * i));
  layers.forEach((l, i) => {
    out.writeUInt32LE(l.layer, 16 + 4 * i);
    out.writeFloatLE(l.margin, 16 + 4 * (layers.length + i));
    l.experts.forEach(([id, weight], k) => {
      out.writeUInt32LE(id, 16 + 8 * layers.length + 4 * (i * K + k));
      out.writeFloatLE(weight, 16 + 8 * layers.length + 4 * (layers.length * K + i * K + k));
    });
  });
  return frame('route', 0, at, out);
}

const layer = (experts) => ({
  attention: { kind: 'grouped', heads: 4, kv_heads: 2, head_dim: 16, window: 0, chunk: 0, rope: true },
  ffn: experts ? { kind: 'experts', experts, active: 2, width: 96, shared_width: 0 } : { kind: 'dense', width: 96 },
});
/** A catalogue that an engine with a small model could send. */
export const catalog = ({ experts = 0, layers = 4, id = 'made-by-a-test', hash = '0123456789abcdef', chat = true } = {}) => ({
  protocol: 1,
  model: { id, hash, family: 'test', source: 'none', format: 'F32', file_bytes: 1, loaded: true, badge: 'exact' },
  spec: { dim: 64, vocab: 320, context: 65536, layers: Array.from({ length: layers }, () => layer(experts)), folded: [{ first: 0, count: layers }] },
  totals: { parameters: 1, active_parameters: 1, kv_bytes_per_token: 1, flops_per_token: 1 },
  blocks: [], engine: { version: '0', threads: 2, context: 65536, page_tokens: 64, pages: 16 },
  stages: ['raw', 'repetition_penalty', 'presence_penalty', 'frequency_penalty', 'temperature', 'top_k', 'top_p', 'min_p', 'typical_p'],
  channels: [{ number: 1, name: 'token', default: true, sentence: '' }], chat, tokenizer: true, published: [],
});
export const runState = (run, more = {}) => ({ run, parent: null, position: null, state: 'running', done: 0, of: 0, length: 0, prompt_tokens: 0, computed: 0, reply_tokens: 0, finish: null, error: null, prompt_ms: null, reply_ms: null, wall_ms: null, ...more });

/** A stub of the engine for server.mjs: a session, a catalogue, and whatever the test writes. */
export function stub(shape = {}) {
  const engine = { seq: 0, streams: [], catalog: catalog(shape), run: 0, bodies: [] };
  engine.write = (bytes) => engine.streams.forEach((one) => one.write(bytes));
  engine.send = (make) => engine.write(make(++engine.seq));
  engine.handle = (path, body, response) => {
    if (body) engine.bodies.push([path, body]);
    if (path === 'session') return { session: 'feedfacefeedfacefeedfacefeedface', protocol: 1, channels: [], model: engine.catalog.model };
    if (path === 'state') return { session: '', runs: [], next_sequence: engine.seq + 1 };
    if (path === 'catalog') return engine.catalog;
    if (path === 'run') return { run: ++engine.run, seed: 7, sampler: {}, chain: [], prompt: [] };
    if (path === 'stream') {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
      response.write(json('catalog', {}, engine.catalog, 4));
      engine.streams.push(response);
      response.on('close', () => (engine.streams = engine.streams.filter((one) => one !== response)));
      return true;
    }
    return engine.refuse?.(path, body) ?? { status: 404, code: 'not_found', message: 'nothing here', hint: '' };
  };
  return engine;
}
