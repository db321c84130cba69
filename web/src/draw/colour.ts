// Colours by number: cividis for amounts (its dark end on a light page means much, its bright end on
// a dark one), Okabe and Ito's for the few things that are told apart by hue. Tables, made once.

function cividis(t: number): [number, number, number] {
  const clamp = (v: number) => Math.max(0, Math.min(255, Math.round(v)));
  return [
    clamp(-4.54 - t * (35.34 - t * (2381.73 - t * (6402.7 - t * (7024.72 - t * 2710.57))))),
    clamp(32.49 + t * (170.73 + t * (52.82 - t * (131.46 - t * (176.58 - t * 67.37))))),
    clamp(81.24 + t * (442.36 - t * (2482.43 - t * (6167.24 - t * (6614.94 - t * 2475.67))))),
  ];
}

const mix = (a: number[], b: number[], t: number) => a.map((v, i) => Math.round(v + (b[i] - v) * t));

/** 256 colours. The lowest meets the page's ground, so that nothing looks like nothing. */
function table(dark: boolean): number[][] {
  const ground = dark ? [22, 27, 36] : [251, 248, 240];
  return Array.from({ length: 256 }, (_, i) => {
    const t = i / 255;
    const c = cividis(dark ? 0.08 + 0.92 * t : 1 - 0.95 * t);
    return t < 0.12 ? mix(ground, c, t / 0.12) : [...c];
  });
}

const tables = { light: table(false), dark: table(true) };

export const isDark = () => matchMedia('(prefers-color-scheme: dark)').matches;
export function ramp(dark = isDark()) {
  return dark ? tables.dark : tables.light;
}
export function amount(t: number, dark = isDark()): string {
  if (!(t >= 0)) return 'transparent';
  const [r, g, b] = ramp(dark)[Math.min(255, Math.round(t * 255))];
  return `rgb(${r},${g},${b})`;
}
/** Ink that can be read on a colour of the ramp: contrast by relative luminance. */
export function inkOn(t: number, dark = isDark()): string {
  const [r, g, b] = ramp(dark)[Math.max(0, Math.min(255, Math.round((t || 0) * 255)))].map((v) => {
    const s = v / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#14171d' : '#ffffff';
}

export const categories = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#b8a800'];
export const grey = '#8b8f98';
