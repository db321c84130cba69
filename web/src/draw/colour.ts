// Colours by number: paper to night blue on a light page, night blue to brass on a dark one, so that
// much is always what stands out from the ground. Tables, made once.

const hex = (text: string) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
// Lightness runs one way in each: it survives greyscale and every kind of colour blindness.
const light = ['#fdfbf6', '#dbe6f0', '#a9c8e4', '#6c9fce', '#37719f', '#1b4676', '#0c2447'].map(hex);
const dark = ['#161b24', '#1f3350', '#2b5480', '#4a82ad', '#86aebd', '#d2c48f', '#ffd978'].map(hex);

/** 256 colours. The lowest is the panel's ground, so that nothing looks like nothing. */
function table(stops: number[][]): number[][] {
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(at));
    return stops[k].map((v, c) => Math.round(v + (stops[k + 1][c] - v) * (at - k)));
  });
}

const tables = { light: table(light), dark: table(dark) };

export const isDark = () => matchMedia('(prefers-color-scheme: dark)').matches;
export function ramp(night = isDark()) {
  return night ? tables.dark : tables.light;
}
export function amount(t: number, night = isDark()): string {
  if (!(t >= 0)) return 'transparent';
  const [r, g, b] = ramp(night)[Math.min(255, Math.round(t * 255))];
  return `rgb(${r},${g},${b})`;
}
/** Ink that can be read on a colour of the ramp: pure black or white, of which one always has 4.5:1. */
export function inkOn(t: number, night = isDark()): string {
  const [r, g, b] = ramp(night)[Math.max(0, Math.min(255, Math.round((t || 0) * 255)))].map((v) => {
    const s = v / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000000' : '#ffffff';
}
