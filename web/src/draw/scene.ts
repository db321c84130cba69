// A picture as a list of shapes. The same list is shown on the page (SVG over a canvas), written as
// an SVG file and painted into a PNG, so what is exported is what is seen. Colours are names of the
// page's palette or plain values.
import { ramp } from './colour.ts';

export type Shape =
  | { t: 'rect'; x: number; y: number; w: number; h: number; fill?: string; stroke?: string; sw?: number; r?: number; o?: number }
  | { t: 'text'; x: number; y: number; s: string; fill?: string; size?: number; anchor?: 'start' | 'middle' | 'end'; bold?: boolean; mono?: boolean; src?: string; prov?: string; fmt?: string; axis?: boolean }
  | { t: 'line'; x1: number; y1: number; x2: number; y2: number; stroke?: string; sw?: number; dash?: string; o?: number }
  | { t: 'path'; d: string; fill?: string; stroke?: string; sw?: number; dash?: string; o?: number }
  | { t: 'circle'; x: number; y: number; r: number; fill?: string; stroke?: string; sw?: number; o?: number }
  /** values 0..1 by row; NaN: absent, drawn as the page's hatch. */
  | { t: 'heat'; x: number; y: number; w: number; h: number; rows: number; cols: number; values: ArrayLike<number> };

export interface Hit {
  text: string;
  act?: () => void;
}
export interface Scene {
  w: number;
  h: number;
  shapes: Shape[];
  hit?: (x: number, y: number) => Hit | null;
}

const names = ['ink', 'muted', 'line', 'ground', 'panel', 'soft', 'accent', 'cursor', 'absent',
  'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6'];

/** A palette name becomes the page's variable. */
export const onPage = (colour?: string) =>
  colour && names.includes(colour) ? `var(--${colour})` : (colour ?? 'none');

function resolver() {
  const style = getComputedStyle(document.documentElement);
  return (colour?: string) => {
    if (!colour) return 'none';
    return names.includes(colour) ? style.getPropertyValue(`--${colour}`).trim() : colour;
  };
}

/** Paints a heat map, one pixel a cell, and lets the canvas scale it up without smoothing. */
export function paintHeat(
  context: CanvasRenderingContext2D, shape: Extract<Shape, { t: 'heat' }>, dx = 0, dy = 0,
) {
  const { rows, cols, values } = shape;
  if (!rows || !cols) return;
  const small = document.createElement('canvas');
  small.width = cols;
  small.height = rows;
  const image = new ImageData(cols, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const table = Uint32Array.from(ramp(), ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
  for (let i = 0; i < rows * cols; i++) {
    const v = values[i];
    pixels[i] = v >= 0 ? table[Math.min(255, Math.round(v * 255))] : 0;
  }
  small.getContext('2d')!.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, shape.x + dx, shape.y + dy, shape.w, shape.h);
}

const escape = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');

const kSans = "'IBM Plex Sans', system-ui, sans-serif";
const kMono = "'IBM Plex Mono', ui-monospace, monospace";
const kFoot = 26;

export function svgText(scene: Scene, title: string, summary: string, provenance: string): string {
  const of = resolver();
  const n = (v: number) => String(Math.round(v * 100) / 100);
  const out: string[] = [];
  const paint = (s: { fill?: string; stroke?: string; sw?: number; o?: number; dash?: string }) =>
    `fill="${of(s.fill)}"${s.stroke ? ` stroke="${of(s.stroke)}" stroke-width="${s.sw ?? 1}"` : ''}` +
    `${s.dash ? ` stroke-dasharray="${s.dash}"` : ''}${s.o !== undefined ? ` opacity="${s.o}"` : ''}`;
  for (const s of scene.shapes) {
    if (s.t === 'rect') {
      out.push(`<rect x="${n(s.x)}" y="${n(s.y)}" width="${n(Math.max(0, s.w))}" ` +
        `height="${n(Math.max(0, s.h))}" rx="${s.r ?? 0}" ${paint(s)}/>`);
    } else if (s.t === 'text') {
      out.push(`<text x="${n(s.x)}" y="${n(s.y)}" fill="${of(s.fill ?? 'ink')}" ` +
        `font-size="${s.size ?? 12}" text-anchor="${s.anchor ?? 'start'}" ` +
        `font-family="${s.mono ? kMono : kSans}"${s.bold ? ' font-weight="600"' : ''} ` +
        `xml:space="preserve">${escape(s.s)}</text>`);
    } else if (s.t === 'line') {
      out.push(`<line x1="${n(s.x1)}" y1="${n(s.y1)}" x2="${n(s.x2)}" y2="${n(s.y2)}" ${paint(s)}/>`);
    } else if (s.t === 'path') {
      out.push(`<path d="${s.d}" ${paint(s)}/>`);
    } else if (s.t === 'circle') {
      out.push(`<circle cx="${n(s.x)}" cy="${n(s.y)}" r="${n(s.r)}" ${paint(s)}/>`);
    } else {
      const canvas = document.createElement('canvas');
      canvas.width = s.cols || 1;
      canvas.height = s.rows || 1;
      paintHeat(canvas.getContext('2d')!, { ...s, x: 0, y: 0, w: canvas.width, h: canvas.height });
      out.push(`<image x="${n(s.x)}" y="${n(s.y)}" width="${n(s.w)}" height="${n(s.h)}" ` +
        `preserveAspectRatio="none" image-rendering="pixelated" href="${canvas.toDataURL()}"/>`);
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${scene.w} ${scene.h + kFoot}" ` +
    `width="${scene.w}" height="${scene.h + kFoot}" role="img">\n<title>${escape(title)}</title>\n` +
    `<desc>${escape(summary)}</desc>\n<rect width="100%" height="100%" fill="${of('panel')}"/>\n` +
    `${out.join('\n')}\n<text x="8" y="${scene.h + 17}" font-size="10" fill="${of('muted')}" ` +
    `font-family="${kSans}">${escape(provenance)}</text>\n</svg>\n`;
}

export async function pngBlob(scene: Scene, provenance: string, scale: number): Promise<Blob> {
  const of = resolver();
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(scene.w * scale);
  canvas.height = Math.ceil((scene.h + kFoot) * scale);
  const c = canvas.getContext('2d')!;
  c.scale(scale, scale);
  c.fillStyle = of('panel');
  c.fillRect(0, 0, scene.w, scene.h + kFoot);
  const foot: Shape = { t: 'text', x: 8, y: scene.h + 17, s: provenance, size: 10, fill: 'muted' };
  for (const s of [...scene.shapes, foot]) {
    c.globalAlpha = 'o' in s && s.o !== undefined ? s.o : 1;
    if (s.t === 'heat') {
      paintHeat(c, s);
      continue;
    }
    if (s.t === 'text') {
      c.font = `${s.bold ? 600 : 400} ${s.size ?? 12}px ${s.mono ? kMono : kSans}`;
      c.textAlign = s.anchor === 'middle' ? 'center' : s.anchor === 'end' ? 'right' : 'left';
      c.fillStyle = of(s.fill ?? 'ink');
      c.fillText(s.s, s.x, s.y);
      continue;
    }
    const path = new Path2D(s.t === 'path' ? s.d : undefined);
    if (s.t === 'rect') path.roundRect(s.x, s.y, Math.max(0, s.w), Math.max(0, s.h), s.r ?? 0);
    if (s.t === 'circle') path.arc(s.x, s.y, s.r, 0, 2 * Math.PI);
    if (s.t === 'line') {
      path.moveTo(s.x1, s.y1);
      path.lineTo(s.x2, s.y2);
    }
    c.setLineDash('dash' in s && s.dash ? s.dash.split(/[ ,]+/).map(Number) : []);
    if ('fill' in s && s.fill && s.fill !== 'none') {
      c.fillStyle = of(s.fill);
      c.fill(path);
    }
    if (s.stroke) {
      c.strokeStyle = of(s.stroke);
      c.lineWidth = s.sw ?? 1;
      c.stroke(path);
    }
  }
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no PNG'))), 'image/png'));
}
