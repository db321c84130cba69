// Statistics of one attention row, as the engine defines them (docs/formats/feed.md, attn.stat), for
// positions whose statistics it has not sent. From the row's 16-bit weights, so to about 1e-4.
import type { AttnRow, HeadStat } from '../feed/frame.ts';

export function statistics(row: AttnRow): HeadStat {
  const query = row.first + row.keys - 1;
  const out = { entropy: 0, max: 0, sink_mass: 0, recent_mass: 0, distance: 0, null_mass: row.null_mass };
  for (let i = 0; i < row.weights.length; i++) {
    const w = row.weights[i];
    const at = row.positions ? row.positions[i] : row.first + i * row.keys_per_bin;
    if (w > 0) out.entropy -= w * Math.log(w);
    out.max = Math.max(out.max, w);
    if (at < 4) out.sink_mass += w;
    if (at > query - 64) out.recent_mass += w;
    out.distance += w * (query - at);
  }
  return out;
}
