// A picture of the page as a small PNG of 256 colours: its commonest, then those that are farthest from
// all chosen ones, so that a small coloured mark keeps its colour. The rest take the nearest.
// Screens of text and plain areas lose nothing that an eye would see.
import { crc32, deflateSync } from 'node:zlib';

function chunk(name, data) {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(name, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

export function paletted(width, height, rgba) {
  const counts = new Map();
  const at = (i) => (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2];
  for (let i = 0; i < width * height; i++) counts.set(at(i), (counts.get(at(i)) ?? 0) + 1);
  const apart = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;
  const order = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
  const palette = order.slice(0, 208);
  const far = new Map(order.slice(208).map((colour) => [colour, Math.min(...palette.map((one) => apart(one, colour)))]));
  while (palette.length < 256 && far.size) {
    const [next] = [...far].reduce((a, b) => (b[1] > a[1] ? b : a));
    palette.push(next);
    far.delete(next);
    for (const [colour, d] of far) far.set(colour, Math.min(d, apart(next, colour)));
  }
  const index = new Map(palette.map((colour, i) => [colour, i]));
  const nearest = (colour) => palette.reduce((best, one, i) => (apart(one, colour) < apart(palette[best], colour) ? i : best), 0);
  for (const colour of counts.keys()) if (!index.has(colour)) index.set(colour, nearest(colour));
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = index.get(at(y * width + x));
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0]);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  const colours = Buffer.from(palette.flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]));
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('PLTE', colours), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

/** The page as it stands, read back from its own screenshot. */
export async function picture(page) {
  const png = (await page.screenshot()).toString('base64');
  const reader = await page.context().newPage();
  const { width, height, data } = await reader.evaluate(async (source) => {
    const image = new Image();
    image.src = `data:image/png;base64,${source}`;
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const bytes = context.getImageData(0, 0, image.width, image.height).data;
    let text = '';
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return { width: image.width, height: image.height, data: btoa(text) };
  }, png);
  await reader.close();
  return paletted(width, height, Buffer.from(data, 'base64'));
}
