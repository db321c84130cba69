// What the page knows of one run, by position: the frames as they came, found by what they are about.
// It grows with the text; the recording says which frames are gone.
import { kEpochRuns } from '../feed/frame.ts';
import type {
  AttnRow, AttnStat, Frame, KvEvent, Resid, RouteFullLayer, RouteLayer, RunState, Token, TopK,
} from '../feed/frame.ts';

export interface Left {
  /** The position whose writing pushed it out, the position that went, and the event that says so. */
  at: number;
  position: number;
  frame: Frame;
  index: number;
}

export class Run {
  id: number;
  parent = $state<number | null>(null);
  branchedAt = $state<number | null>(null);
  state = $state('queued');
  done = $state(0);
  of = $state(0);
  finish = $state<string | null>(null);
  error = $state<string | null>(null);
  prompt_ms = $state<number | null>(null);
  reply_ms = $state<number | null>(null);
  promptTokens = $state(0);
  /** Positions whose keys are in the cache; the newest token is not yet among them. */
  computed = $state(0);
  seed = $state<number | null>(null);
  /** Of the answer to POST run: where each token of the prompt comes from. */
  origins: (string | undefined)[] = [];
  thinned = 0;
  stateFrame = $state.raw<Frame<RunState> | null>(null);
  tokens: (Frame<Token> | undefined)[] = [];
  route = new Map<number, Frame<{ layers: RouteLayer[] }>>();
  routeFull = new Map<number, Frame<{ layers: RouteFullLayer[] }>>();
  /** By layer, then by position. */
  stat = new Map<number, Map<number, Frame<AttnStat>>>();
  rows = new Map<string, Frame<AttnRow>>();
  topk = new Map<string, Frame<TopK>>();
  resid = new Map<number, Frame<Resid>>();
  kv: Frame<{ events: KvEvent[] }>[] = [];
  private left = new Map<number, Left[]>();

  constructor(id: number) {
    this.id = id;
  }

  get length() {
    return this.tokens.length;
  }
  get busy() {
    return this.state === 'running' || this.state === 'prefill' || this.state === 'queued';
  }

  take(frame: Frame) {
    if (frame.thinned) this.thinned++;
    switch (frame.channel) {
      case 'run': this.takeState(frame); break;
      case 'token': this.tokens[frame.step] = frame; break;
      case 'route': this.route.set(frame.step, frame); break;
      case 'route.full': this.routeFull.set(frame.step, frame); break;
      case 'attn.stat': {
        const layer = frame.data.layer;
        if (!this.stat.has(layer)) this.stat.set(layer, new Map());
        this.stat.get(layer)!.set(frame.step, frame);
        break;
      }
      case 'attn.row': this.rows.set(rowKey(frame.step, frame.data.layer, frame.data.head), frame); break;
      case 'attn.topk': this.topk.set(`${frame.step}/${frame.data.layer}`, frame); break;
      case 'resid': this.resid.set(frame.step, frame); break;
      case 'kv': if (frame.data.events) this.takeKv(frame); break;
    }
  }

  /** Events stand in the order in which they happened: what leaves, leaves when the position before is written. */
  private takeKv(frame: Frame<{ events: KvEvent[] }>) {
    this.kv.push(frame);
    let written = frame.step;
    frame.data.events.forEach((event, index) => {
      if (event.kind === 'write') written = event.position;
      if (event.kind !== 'leave') return;
      if (!this.left.has(event.group)) this.left.set(event.group, []);
      this.left.get(event.group)!.push({ at: written, position: event.position, frame, index });
    });
  }

  /** The newest position that had left a group's window when `step` was written; null: none had. */
  leftAt(group: number, step: number): Left | null {
    const all = this.left.get(group) ?? [];
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].at <= step) low = middle + 1;
      else high = middle;
    }
    return low ? all[low - 1] : null;
  }

  private takeState(frame: Frame<RunState>) {
    const s = frame.data;
    this.stateFrame = frame;
    // A parent is named by the engine's number, and is of the same session.
    this.parent = s.parent ? s.parent + Math.floor(this.id / kEpochRuns) * kEpochRuns : null;
    this.branchedAt = s.position ?? null;
    this.state = s.state;
    this.done = s.done ?? 0;
    this.of = s.of ?? 0;
    this.computed = s.computed ?? Math.max(0, (s.length ?? 1) - 1);
    this.finish = s.finish ?? null;
    this.error = s.error ?? null;
    this.prompt_ms = s.prompt_ms ?? null;
    this.reply_ms = s.reply_ms ?? null;
    this.promptTokens = s.prompt_tokens ?? this.promptTokens;
  }

  drop(frame: Frame) {
    const at = frame.step;
    if (frame.channel === 'token' && this.tokens[at] === frame) this.tokens[at] = undefined;
    if (frame.channel === 'route' && this.route.get(at) === frame) this.route.delete(at);
    if (frame.channel === 'route.full' && this.routeFull.get(at) === frame) this.routeFull.delete(at);
    if (frame.channel === 'attn.stat') this.stat.get(frame.data.layer)?.delete(at);
    if (frame.channel === 'attn.row') this.rows.delete(rowKey(at, frame.data.layer, frame.data.head));
    if (frame.channel === 'attn.topk') this.topk.delete(`${at}/${frame.data.layer}`);
    if (frame.channel === 'resid') this.resid.delete(at);
    if (frame.channel === 'kv' && this.kv[0] === frame) this.kv.shift();
  }

  /** The newest statistics of a layer at or before a position, but not of a branch's other text. */
  statAt(layer: number, position: number) {
    const steps = this.stat.get(layer);
    if (!steps) return null;
    const exact = steps.get(position);
    if (exact) return exact;
    let best: Frame<AttnStat> | null = null;
    for (const [step, frame] of steps) {
      if (step <= position && (!best || step > best.step)) best = frame;
    }
    return best;
  }

  /** The reply's text; control tokens are no part of it. */
  replyText() {
    let text = '';
    for (let i = this.promptTokens; i < this.tokens.length; i++) {
      const token = this.tokens[i]?.data;
      if (token && !token.special) text += token.text;
    }
    return text;
  }
}

export const rowKey = (step: number, layer: number, head: number) => `${step}/${layer}/${head}`;
