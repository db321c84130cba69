// The recording: frames as they came, the oldest thrown away when there are too many bytes. What a
// run needs to be read at all (the catalogue and the last state of each run) is kept aside. A `.orx`
// file is a line of text and then those frames.

export const kRingBytes = 64 << 20;
export const kOrxMagic = 'orrery recording 1\n';

export interface Kept {
  raw: Uint8Array;
  seq: number;
  run: number;
  channel: number;
}
const kCatalog = 0;
const kRun = 13;

export class Ring {
  bytes = 0;
  limit: number;
  private frames: Kept[] = [];
  private begin = 0;
  private aside = new Map<string, Kept>();

  constructor(limit = kRingBytes) {
    this.limit = limit;
  }

  get count() {
    return this.frames.length - this.begin;
  }

  /** Takes a frame; the answer are those that had to go. */
  push(kept: Kept): Kept[] {
    if (kept.channel === kCatalog || kept.channel === kRun) {
      this.aside.set(`${kept.channel}${kept.run}`, kept);
    }
    this.frames.push(kept);
    this.bytes += kept.raw.length;
    const gone: Kept[] = [];
    while (this.bytes > this.limit && this.count > 1) {
      const old = this.frames[this.begin++];
      this.bytes -= old.raw.length;
      gone.push(old);
    }
    if (this.begin > 4096 && this.begin * 2 > this.frames.length) {
      this.frames = this.frames.slice(this.begin);
      this.begin = 0;
    }
    return gone;
  }

  /** All that is needed to read the runs again, in order. */
  save(): Uint8Array[] {
    const frames = this.frames.slice(this.begin);
    const there = new Set(frames);
    const first = [...this.aside.values()].filter((kept) => !there.has(kept));
    return [new TextEncoder().encode(kOrxMagic.padEnd(32, '\n')),
      ...[...first, ...frames].map((kept) => kept.raw)];
  }

  clear() {
    this.frames = [];
    this.begin = 0;
    this.bytes = 0;
    this.aside.clear();
  }
}

/** The frames of a `.orx` file, or null if it is something else. */
export function orxBody(file: Uint8Array): Uint8Array | null {
  const head = new TextDecoder().decode(file.subarray(0, kOrxMagic.length));
  return head === kOrxMagic ? file.subarray(32) : null;
}
