// The one state of the page: the link to the engine, the catalogue, the runs, and the cursor that
// all instruments share. Frames are kept as they are; `version` says that some came, so a component
// reads it and then reads the runs. Nothing here computes a number that is shown.
import { Decoder, kEpochFrames, kEpochRuns, type Frame, type KvSnapshot } from '../feed/frame.ts';
import type { FromWorker, ToWorker } from '../feed/worker.ts';
import { Refusal, base, get, post } from '../feed/control.ts';
import { flushSync } from 'svelte';
import { Run } from './run.svelte.ts';

export type Link = 'connecting' | 'live' | 'lost' | 'off' | 'replay' | 'no_model';
export const instruments = [
  'chat', 'compare', 'tokens', 'attention', 'routing', 'memory', 'lens', 'time', 'optimise', 'planner',
] as const;
export type Instrument = (typeof instruments)[number];

export interface Sampler {
  temperature: number;
  top_k: number;
  top_p: number;
  min_p: number;
  typical_p: number;
  repetition_penalty: number;
  presence_penalty: number;
  frequency_penalty: number;
}
export const samplerDefaults: Sampler = {
  temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0, typical_p: 1,
  repetition_penalty: 1, presence_penalty: 0, frequency_penalty: 0,
};

/** `pick`: which of the answer's frames; `how`: what was made of them, if they were not taken as is. */
export interface Request {
  path: string;
  query?: Record<string, string | number>;
  body?: object;
  pick?: number;
  how?: string;
}

class Store {
  instrument = $state<Instrument>('chat');
  link = $state<Link>('connecting');
  linkMessage = $state('');
  linkCode = $state('');
  session = $state('');
  catalog = $state.raw<any>(null);
  /** Set when another model answers than the one whose runs are shown. */
  restarted = $state(false);
  version = $state(0);
  runId = $state(0);
  step = $state(0);
  layer = $state(0);
  head = $state(0);
  expert = $state(0);
  follow = $state(true);
  scale = $state<'log' | 'linear' | 'rank'>('log');
  sinks = $state(true);
  sinkCount = 4;
  window = $state(0);
  a = $state('');
  b = $state('');
  sampler = $state<Sampler>({ ...samplerDefaults });
  seed = $state('');
  tokensMax = $state(256);
  system = $state('');
  promptText = $state('');
  includePrompt = $state(false);
  promptLogprobs = $state(true);
  asChat = $state(true);
  sys = $state.raw<Frame | null>(null);
  kv = $state.raw<Frame<KvSnapshot> | null>(null);
  gaps = $state(0);
  unknown = $state(0);
  gone = $state(0);
  thinned = $state(0);
  ringBytes = $state(0);
  notice = $state('');
  error = $state.raw<Refusal | null>(null);
  prefer = $state('');
  heads = $state<{ layer: number; head: number }[]>([]);

  runs = new Map<number, Run>();
  bySeq = new Map<number, Frame>();
  replies = new Map<string, any>();
  requests = new Map<string, Request>();
  private decoder = new Decoder();
  private replyCount = 0;
  /** Sessions of this page before the one that answers now. */
  epoch = $state(0);
  /** A run that the address names and that is not here. */
  missingRun = $state(0);
  private lastSeq = 0;
  private retry = 0;
  private retryTimer = 0;
  private worker: Worker | null = null;
  private onSaved: ((parts: Uint8Array[]) => void) | null = null;

  get run(): Run | undefined {
    void this.version;
    return this.runs.get(this.runId);
  }
  get runList(): Run[] {
    void this.version;
    return [...this.runs.values()];
  }
  /** The shown run is one of the session that answers now, so it can be asked about. */
  get canAsk(): boolean {
    // Not by `run`, which changes with every frame: whoever asks in an effect would ask again and again.
    return this.link === 'live' && this.runs.has(this.runId) && this.epochOf(this.runId) === this.epoch;
  }
  epochOf = (run: number) => Math.floor(run / kEpochRuns);
  /** The engine's own number of a run. */
  bare = (run: number) => run % kEpochRuns;
  private wrap = (run: number) => run + this.epoch * kEpochRuns;
  get layers(): number {
    return this.catalog?.spec?.layers?.length ?? 0;
  }
  get headCount(): number {
    return this.catalog?.spec?.layers?.[this.layer]?.attention?.heads ?? 0;
  }
  get expertLayers(): number[] {
    const layers: any[] = this.catalog?.spec?.layers ?? [];
    return layers.flatMap((one, i) => (one.ffn?.kind === 'experts' ? [i] : []));
  }

  start() {
    this.worker = new Worker(new URL('../feed/worker.ts', import.meta.url), { type: 'module' });
    this.worker.onmessage = (event) => this.hear(event.data);
    void this.connect();
  }

  private tell(message: ToWorker) {
    this.worker?.postMessage(message);
  }

  async connect() {
    clearTimeout(this.retryTimer);
    if (this.link !== 'lost') this.link = 'connecting';
    try {
      if (!this.session) this.session = sessionStorage.getItem('orrery-session') ?? '';
      if (this.session) {
        const state = await get('state', { session: this.session }).catch((error) => {
          if (error instanceof Refusal && error.status === 404) return null;
          throw error;
        });
        if (!state) this.forgetSession();
        else this.chooseRun((state.runs ?? []).map((one: any) => this.wrap(one.run)));
      }
      if (!this.session) {
        const made = await post('session', {});
        this.session = made.session;
        sessionStorage.setItem('orrery-session', this.session);
        this.chooseRun([]);
      }
      const url = `${base}stream?session=${encodeURIComponent(this.session)}`;
      this.tell({ type: 'open', url, since: this.lastSeq % kEpochFrames, epoch: this.epoch });
    } catch (error) {
      this.lost(error instanceof Refusal ? error : new Refusal(0, 'unreachable', String(error), ''));
    }
  }

  /** The address may name a run that this session does not have: then that is told. */
  private chooseRun(known: number[]) {
    if (this.runId && !this.runs.has(this.runId) && !known.includes(this.runId)) {
      this.missingRun = this.runId;
      this.runId = 0;
    }
    if (!this.runId && known.length) this.runId = known.at(-1)!;
  }

  private forgetSession() {
    this.session = '';
    if (this.runs.size) this.epoch++;
    this.lastSeq = this.epoch * kEpochFrames;
    sessionStorage.removeItem('orrery-session');
  }

  private lost(error: Refusal) {
    if (this.link === 'replay') return;
    if (error.code === 'explorer_off') {
      this.link = 'off';
    } else if (error.code === 'no_model') {
      this.link = 'no_model';
    } else {
      this.link = 'lost';
    }
    this.linkMessage = error.message;
    this.linkCode = error.code;
    const wait = Math.min(500 * 2 ** this.retry++, 15000);
    this.retryTimer = setTimeout(() => this.connect(), wait) as unknown as number;
  }

  private hear(message: FromWorker) {
    if (message.type === 'opened') {
      this.link = 'live';
      this.linkMessage = '';
      this.retry = 0;
    }
    if (message.type === 'closed' && this.link !== 'replay') {
      if (message.status === 404) this.forgetSession();
      this.lost(new Refusal(message.status, message.code, message.message, ''));
    }
    if (message.type === 'frames') this.takeAll(message);
    if (message.type === 'saved') this.onSaved?.(message.parts);
    if (message.type === 'replayed') {
      this.notice = message.message;
      this.link = this.catalog ? 'replay' : this.link;
      this.follow = true;
      this.toEnd();
    }
  }

  private takeAll(message: Extract<FromWorker, { type: 'frames' }>) {
    const broken = this.decoder.broken;
    for (const frame of this.decoder.all(message.bytes)) this.take(frame);
    this.gaps += this.decoder.broken - broken;
    this.ringBytes = message.kept;
    this.unknown = this.decoder.unknown;
    for (const seq of message.gone) {
      const frame = this.bySeq.get(seq);
      if (!frame) continue;
      this.bySeq.delete(seq);
      this.runs.get(frame.run)?.drop(frame);
    }
    this.gone += message.gone.length;
    this.show();
  }

  private drawing = 0;
  private drawnAt = 0;
  private drawMs = 0;
  /**
   * Tells the page that there is something new. Where drawing takes long, the next one waits, so that it
   * takes a small part of the time and keys and pointer stay quick.
   */
  private show() {
    if (this.drawing) return;
    const wait = Math.max(0, this.drawnAt + (this.drawMs > 8 ? 8 * this.drawMs : 0) - performance.now());
    const draw = () => {
      this.drawing = 0;
      const begin = performance.now();
      if (this.follow) this.toEnd();
      flushSync(() => this.version++);
      this.drawnAt = performance.now();
      this.drawMs = this.drawnAt - begin;
    };
    if (wait) this.drawing = setTimeout(draw, wait) as unknown as number;
    else draw();
  }

  private take(frame: Frame) {
    if (frame.seq > 0) {
      if (frame.seq <= this.lastSeq && this.bySeq.has(frame.seq)) return;
      this.countLost(frame);
      this.lastSeq = Math.max(this.lastSeq, frame.seq);
      this.bySeq.set(frame.seq, frame);
    }
    if (frame.thinned) this.thinned++;
    if (frame.channel === 'catalog') this.takeCatalog(frame);
    else if (frame.channel === 'sys') this.sys = frame;
    else if (frame.channel === 'gap') this.takeGap(frame);
    else if (frame.channel === 'kv' && frame.data.groups) this.kv = frame;
    if (frame.run) {
      if (!this.runs.has(frame.run)) {
        this.runs.set(frame.run, new Run(frame.run));
        if (!this.runId && !this.missingRun) this.runId = frame.run;
      }
      this.runs.get(frame.run)!.take(frame);
    }
  }

  /** Numbers that were passed over without a word are lost frames, too. */
  private countLost(frame: Frame) {
    if (this.lastSeq % kEpochFrames && frame.seq > this.lastSeq + 1 && this.link !== 'replay' && frame.channel !== 'gap') {
      this.gaps += frame.seq - this.lastSeq - 1;
    }
  }
  private takeGap(frame: Frame) {
    this.gaps += frame.data.to - frame.data.from + 1;
    if (!frame.replay) this.lastSeq = Math.max(this.lastSeq, this.epoch * kEpochFrames + frame.data.to);
  }

  private takeCatalog(frame: Frame) {
    const before = this.catalog?.model?.hash;
    this.restarted = this.restarted || Boolean(before && before !== frame.data.model?.hash);
    if (before === frame.data.model?.hash) return;
    this.catalog = frame.data;
    this.layer = Math.min(this.layer, Math.max(0, this.layers - 1));
    if (!frame.data.chat) this.asChat = false;
    // A reply may take half of what the context holds; who wants more says so in the settings.
    const context = frame.data.engine?.context;
    if (context) this.tokensMax = Math.min(this.tokensMax, Math.max(1, Math.floor(context / 2)));
    if (frame.data.model?.loaded === false && frame.data.model?.id === '') this.link = 'no_model';
  }

  toEnd() {
    const run = this.runs.get(this.runId);
    if (run && run.length) this.step = run.length - 1;
  }

  /** The name under which a frame's numbers can be found again. */
  key(frame: Frame | null | undefined): string {
    if (!frame) return '';
    if (frame.seq) return `f${frame.seq}`;
    if (frame.channel === 'kv' || frame.channel === 'sys') return frame.channel;
    return `${frame.channel}${frame.run || ''}`;
  }

  /** Keeps an answer under a name; `from` is the request that brings the same numbers again. */
  keep(reply: any, from: Request): string {
    const id = `reply${++this.replyCount}`;
    this.replies.set(id, reply);
    this.requests.set(id, from);
    if (this.replies.size > 512) {
      const oldest = this.replies.keys().next().value!;
      this.replies.delete(oldest);
      this.requests.delete(oldest);
    }
    return id;
  }

  /** What stands behind `f12#candidates.3.logprob`; undefined if nothing does. */
  resolve(src: string): unknown {
    const [key, path] = src.split('#');
    let value: any;
    if (key === 'catalog') value = this.catalog;
    else if (key === 'kv') value = this.kv?.data;
    else if (key === 'sys') value = this.sys?.data;
    else if (key.startsWith('reply')) value = this.replies.get(key);
    else if (key === 'routes') return this.routesOf(path);
    else if (key === 'tokens') return this.runs.get(Number(path))?.tokens.map((f) => f?.data);
    else if (key.startsWith('run')) value = this.runs.get(Number(key.slice(3)))?.stateFrame?.data;
    else if (key.startsWith('f')) {
      const frame = this.bySeq.get(Number(key.slice(1)));
      if (path === 'step') return frame?.step;
      value = frame?.data;
    }
    for (const part of path ? path.split('.') : []) value = value?.[part];
    return value;
  }

  /** Of `RUN.LAYER`: the experts of each token, which loads and hit rates are counted from. */
  private routesOf(path: string) {
    const [run, layer] = path.split('.').map(Number);
    const all = [...(this.runs.get(run)?.route.entries() ?? [])].sort((a, b) => a[0] - b[0]);
    return all.flatMap(([, f]) => f.data.layers.filter((l) => l.layer === layer).map((l) => l.experts));
  }

  fail(error: unknown) {
    this.error = error instanceof Refusal ? error : new Refusal(0, 'page', String(error), '');
  }

  /** Control that may be refused: the refusal is shown, and the answer is null. */
  async ask(path: string, body: object = {}): Promise<any> {
    if (this.link === 'replay') return null;
    try {
      this.error = null;
      const run = (body as { run?: number }).run;
      return await post(path, { session: this.session, ...body, ...(run ? { run: this.bare(run) } : {}) });
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  async newRun(what: object): Promise<number> {
    const answer = await this.ask('run', {
      ...what,
      ...(this.seed.trim() ? { seed: Number(this.seed) } : {}),
      tokens_max: this.tokensMax,
      prompt_logprobs: this.promptLogprobs,
      sampler: { ...this.sampler },
    });
    if (!answer) return 0;
    const id = this.wrap(answer.run);
    const run = this.runs.get(id) ?? new Run(id);
    this.runs.set(id, run);
    run.seed = answer.seed;
    run.promptTokens = answer.prompt?.length ?? 0;
    run.origins = (answer.prompt ?? []).map((one: any) =>
      one.origin === 'message' && one.message !== undefined ? `message ${one.message}` : one.origin);
    this.runId = id;
    this.missingRun = 0;
    this.follow = true;
    this.version++;
    return id;
  }

  async branch(position: number, token: number): Promise<number> {
    const answer = await this.ask('branch', {
      run: this.runId, position, token, tokens_max: this.tokensMax, sampler: { ...this.sampler },
    });
    if (!answer) return 0;
    const id = this.wrap(answer.run);
    const run = this.runs.get(id) ?? new Run(id);
    this.runs.set(id, run);
    run.parent = this.runId;
    run.branchedAt = answer.position ?? position;
    run.seed = answer.seed;
    run.promptTokens = this.runs.get(run.parent!)?.promptTokens ?? 0;
    this.runId = id;
    this.follow = true;
    this.version++;
    return id;
  }

  async runOrPause() {
    const run = this.run;
    if (!run || !this.canAsk) return;
    if (run.busy) await this.ask('pause', { run: run.id });
    else await this.ask('resume', { run: run.id, ...(run.state === 'ended' ? { tokens_max: 64 } : {}) });
    this.follow = true;
  }

  async stepOnce() {
    const run = this.run;
    if (!run || !this.canAsk) return;
    if (run.state === 'paused') {
      this.follow = true;
      await this.ask('step', { run: run.id, count: 1 });
    } else if (run.busy) {
      await this.ask('pause', { run: run.id });
    }
  }

  moveStep(by: number) {
    const run = this.run;
    if (!run) return;
    const to = Math.max(0, Math.min(run.length - 1, this.step + by));
    this.step = to;
    this.follow = to === run.length - 1;
  }
  goTo(step: number) {
    this.moveStep(step - this.step);
  }
  moveLayer(by: number) {
    this.layer = Math.max(0, Math.min(this.layers - 1, this.layer + by));
    this.head = Math.max(0, Math.min(this.headCount - 1, this.head));
  }
  moveHead(by: number) {
    if (this.instrument === 'routing') {
      const n = this.catalog?.spec?.layers?.[this.layer]?.ffn?.experts ?? 1;
      this.expert = (this.expert + by + n) % n;
    } else {
      const n = Math.max(1, this.headCount);
      this.head = (this.head + by + n) % n;
    }
  }

  save(): Promise<Uint8Array[]> {
    return new Promise((resolve) => {
      this.onSaved = resolve;
      this.tell({ type: 'save' });
    });
  }
  async openFile(file: Blob) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    clearTimeout(this.retryTimer);
    this.runs.clear();
    this.bySeq.clear();
    this.lastSeq = 0;
    this.catalog = null;
    this.restarted = false;
    this.epoch = 0;
    this.missingRun = 0;
    this.runId = 0;
    this.gaps = 0;
    this.tell({ type: 'replay', file: bytes });
  }
}

export const store = new Store();
