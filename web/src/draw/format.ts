// How a number is written. Each way has a name, which stands beside the number in the page
// (data-fmt), so that a test can write the frame's number again and compare.

export type Format = 'int' | 'f1' | 'f2' | 'f3' | 'f4' | 'tiny' | 'percent' | 'bytes' | 'ms' | 'short' | 'ratio' | 'text';

const group = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const minus = (text: string) => text.replace('-', '\u2212');

export function format(value: unknown, how: Format): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return String(value);
  if (Number.isNaN(value)) return '–';
  switch (how) {
    case 'int': return minus(group.format(value));
    case 'f1': return minus(value.toFixed(1));
    case 'f2': return minus(value.toFixed(2));
    case 'f3': return minus(value.toFixed(3));
    case 'f4': return minus(value.toFixed(4));
    case 'tiny': return value === 0 ? '0' : minus(value.toExponential(1));
    case 'percent': return percent(value);
    case 'bytes': return bytes(value);
    case 'ms': return `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
    case 'short': return short(value);
    case 'ratio': return `${value.toFixed(2)}×`;
    default: return minus(String(value));
  }
}

function percent(value: number) {
  const size = Math.abs(value);
  const digits = size === 0 || size >= 0.0995 ? 0 : size >= 0.000995 ? 1 : size >= 0.0000995 ? 2 : 3;
  return minus(`${(value * 100).toFixed(digits)} %`);
}

function bytes(value: number) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = Math.abs(value);
  let unit = 0;
  while (size >= 1024 && unit < 4) {
    size /= 1024;
    unit++;
  }
  const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return `${value < 0 ? '\u2212' : ''}${size.toFixed(digits)} ${units[unit]}`;
}

function short(value: number) {
  const size = Math.abs(value);
  if (size >= 1e12) return minus(`${(value / 1e12).toFixed(2)} T`);
  if (size >= 1e9) return minus(`${(value / 1e9).toFixed(2)} B`);
  if (size >= 1e6) return minus(`${(value / 1e6).toFixed(2)} M`);
  if (size >= 1e4) return minus(`${(value / 1e3).toFixed(1)} k`);
  return minus(group.format(value));
}

/** A token as one can see it: blanks and line ends get a sign, odd characters their number. */
export function visible(text: string, max = 200): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/ /g, '·').replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `⟨${c.charCodeAt(0).toString(16).padStart(4, '0')}⟩`);
}
