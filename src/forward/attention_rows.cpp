// Attention rows: keys are widened to floats tile by tile, once for all heads that share them.
#include "forward/attention_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "base/overload.h"
#include "forward/visible_keys.h"

namespace orrery::forward {
namespace {

using kernels::kKeyTile;
using kernels::kKvGroup;
using kernels::KvFormat;
using model::GroupedAttention;
using model::LatentAttention;
using model::Role;

// Four floats that the compiler keeps in one register of any machine.
using Lanes [[gnu::vector_size(16)]] = f32;

f32 dot(const f32* a, const f32* b, u32 n) {
  Lanes sums[2] = {};
  u32 i = 0;
  for (; i + 8 <= n; i += 8)
    for (u32 half = 0; half < 2; ++half) {
      Lanes x, y;
      std::memcpy(&x, a + i + 4 * half, sizeof(x));
      std::memcpy(&y, b + i + 4 * half, sizeof(y));
      sums[half] += x * y;
    }
  f32 sum = 0;
  for (u32 lane = 0; lane < 4; ++lane) sum += sums[0][lane] + sums[1][lane];
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_scaled(const f32* x, f32 factor, f32* to, u32 n) {
  for (u32 i = 0; i < n; ++i) to[i] += factor * x[i];
}

// Floats of 16 bits; subnormal ones come out right, and no key is infinite.
void widen_f16(const u16* from, f32* to, u32 n) {
  for (u32 i = 0; i < n; ++i) {
    const u32 magnitude = u32(from[i] & 0x7fff) << 13;
    const f32 value = std::bit_cast<f32>(magnitude) * 0x1p112f;
    to[i] = std::bit_cast<f32>(std::bit_cast<u32>(value) | u32(from[i] & 0x8000) << 16);
  }
}

void widen(KvFormat format, const u8* from, f32* to, u32 n) {
  if (format == KvFormat::kF32) {
    std::memcpy(to, from, n * sizeof(f32));
  } else if (format == KvFormat::kF16) {
    widen_f16(reinterpret_cast<const u16*>(from), to, n);
  } else {
    for (u32 i = 0; i < n; ++i) {
      u16 bits;
      std::memcpy(&bits, from + 2 * u64(i), 2);
      to[i] = f32_from_bf16(bits);
    }
  }
}

f32 half_at(const u8* at) {
  u16 bits;
  std::memcpy(&bits, at, 2);
  return f32_from_f16(bits);
}

// The tile's keys as floats [dim][16] (kernels/kv_format.h).
void widen_tile(KvFormat format, const u8* tile, u32 dim, f32* to) {
  if (!is_rounded(format)) return widen(format, tile, to, dim * kKeyTile);
  for (u32 first = 0; first < dim; first += kKvGroup) {
    const u32 count = std::min(kKvGroup, dim - first);
    const u8* data = tile + 2 * kKeyTile;
    for (u32 i = 0; i < count; ++i)
      for (u32 lane = 0; lane < kKeyTile; ++lane) {
        const u8 byte =
            format == KvFormat::kQ8 ? data[i * kKeyTile + lane] : data[i / 2 * kKeyTile + lane];
        const i32 q =
            format == KvFormat::kQ8 ? i32(i8(byte)) : i32(i % 2 ? byte >> 4 : byte & 15) - 8;
        to[(first + i) * kKeyTile + lane] = f32(q) * half_at(tile + 2 * lane);
      }
    tile += kernels::key_tile_bytes(format, count);
  }
}

// A position's values as floats [dim].
void widen_row(KvFormat format, const u8* row, u32 dim, f32* to) {
  if (!is_rounded(format)) return widen(format, row, to, dim);
  const u8* scales = row + u64(dim) * kernels::kv_value_bits(format) / 8;
  for (u32 d = 0; d < dim; ++d) {
    const u8 byte = format == KvFormat::kQ8 ? row[d] : row[d / 16 * 8 + d % 8];
    const i32 q =
        format == KvFormat::kQ8 ? i32(i8(byte)) : i32(d % 16 >= 8 ? byte >> 4 : byte & 15) - 8;
    to[d] = f32(q) * half_at(scales + d / kKvGroup * 2);
  }
}

// Scores to weights, with a logit that joins the sum where there is one.
void softmax(const kernels::Kernels& kernels, const f32* sink, AttentionRow& row) {
  std::vector<f32>& w = row.weights;
  if (w.empty()) return;
  const u32 n = u32(w.size());
  f32 max = kernels.max(w.data(), n);
  if (sink) max = std::max(max, *sink);
  const f32 null = sink ? std::exp(*sink - max) : 0;
  const f32 factor = 1 / (kernels.exp_sum(w.data(), n, max) + null);
  kernels.scale(factor, w.data(), n);
  row.null_mass = null * factor;
}

// Rows of query heads [begin, begin + rows) that share a KV head.
void group_rows(const RowsAt& at, const GroupedAttention& a, u32 begin, bool with_read,
                std::span<AttentionRow> rows) {
  const KvFormat format = at.cache.format();
  const u32 dim = a.head_dim, kv_head = begin / (a.heads / a.kv_heads);
  const Range keys = visible_keys(at.position, a.window, a.chunk);
  const f32 scale = 1 / std::sqrt(f32(dim));
  const u64 tile_bytes = kernels::key_tile_bytes(format, dim);
  const u64 row_bytes = kernels::kv_row_bytes(format, dim);
  std::vector<f32> tile(u64(dim) * kKeyTile);
  for (AttentionRow& row : rows) {
    row.first = u32(keys.begin);
    row.weights.resize(keys.size());
  }
  for (u64 first = keys.begin / kKeyTile * kKeyTile; first < keys.end; first += kKeyTile) {
    const u32 page = u32(first / kPageTokens), within = u32(first % kPageTokens);
    widen_tile(format,
               at.cache.keys(at.sequence, page, at.layer, kv_head) + within / kKeyTile * tile_bytes,
               dim, tile.data());
    const u64 low = std::max(first, keys.begin), high = std::min(first + kKeyTile, keys.end);
    for (u32 h = 0; h < rows.size(); ++h) {
      const f32* q = at.query + u64(begin + h) * dim;
      Lanes scores[kKeyTile / 4] = {};
      for (u32 d = 0; d < dim; ++d)
        for (u32 part = 0; part < kKeyTile / 4; ++part) {
          Lanes k;
          std::memcpy(&k, tile.data() + u64(d) * kKeyTile + 4 * part, sizeof(k));
          scores[part] += q[d] * k;
        }
      for (u64 key = low; key < high; ++key)
        rows[h].weights[key - keys.begin] = scores[(key - first) / 4][(key - first) % 4] * scale;
    }
  }
  const f32* sinks = at.model.weights.layers[at.layer].vector(Role::kSinks);
  for (u32 h = 0; h < rows.size(); ++h)
    softmax(at.kernels, sinks ? sinks + begin + h : nullptr, rows[h]);
  if (!with_read) return;
  for (AttentionRow& row : rows) row.read.assign(dim, 0);
  std::vector<f32> value(dim);
  for (u64 key = keys.begin; key < keys.end; ++key) {
    widen_row(format,
              at.cache.values(at.sequence, u32(key / kPageTokens), at.layer, kv_head) +
                  key % kPageTokens * row_bytes,
              dim, value.data());
    for (AttentionRow& row : rows)
      add_scaled(value.data(), row.weights[key - keys.begin], row.read.data(), dim);
  }
  if (is_rounded(format))
    for (AttentionRow& row : rows) kernels::hadamard(row.read.data(), dim);
}

// What a row read of the latents, turned into the head's values as the pass does it.
void expand(const RowsAt& at, const LatentAttention& a, u32 head, AttentionRow& row) {
  const model::Matrix& m = at.model.weights.layers[at.layer].matrix(Role::kLatentValue, head);
  const kernels::ActivationKind kind = kernels::activation_kind(m.layout);
  const u64 bytes = kernels::activation_bytes(kind, m.cols, 1);
  const auto memory = HugeBuffer::allocate(bytes);
  if (!memory) return row.read.clear();
  const kernels::Activations x = kernels::place_activations(kind, m.cols, 1, memory->data());
  at.kernels.quantize(row.read.data(), m.cols, x, 0, 1);
  std::vector<f32> values(round_up(a.value_dim, 16u));
  at.kernels.matmul[u8(m.layout)](m, x, 0, m.panels(), values.data(), values.size(), false);
  values.resize(a.value_dim);
  row.read = std::move(values);
}

void latent_rows(const RowsAt& at, const LatentAttention& a, u32 begin, bool with_read,
                 std::span<AttentionRow> rows) {
  const KvFormat format = at.cache.latent_format();
  const u32 dim = a.cached_dim();
  const u64 keys = at.chosen.empty() ? u64(at.position) + 1 : at.chosen.size();
  std::vector<f32> key(dim);
  const auto latent_at = [&](u64 i) {
    const u32 position = at.chosen.empty() ? u32(i) : at.chosen[i];
    widen(format, at.cache.latents(at.sequence, position, at.layer), key.data(), a.kv_rank);
    return position;
  };
  for (AttentionRow& row : rows) {
    row.first = 0;
    row.weights.resize(keys);
  }
  for (u64 i = 0; i < keys; ++i) {
    const u32 position = latent_at(i);
    widen(format, at.cache.rotary_keys(at.sequence, position, at.layer), key.data() + a.kv_rank,
          a.rope_dim);
    for (u32 h = 0; h < rows.size(); ++h)
      rows[h].weights[i] = dot(at.query + u64(begin + h) * dim, key.data(), dim) * a.scale;
  }
  for (AttentionRow& row : rows) softmax(at.kernels, nullptr, row);
  if (!with_read) return;
  for (AttentionRow& row : rows) row.read.assign(a.kv_rank, 0);
  for (u64 i = 0; i < keys; ++i) {
    (void)latent_at(i);
    for (AttentionRow& row : rows)
      add_scaled(key.data(), row.weights[i], row.read.data(), a.kv_rank);
  }
  for (u32 h = 0; h < rows.size(); ++h) expand(at, a, begin + h, rows[h]);
}

}  // namespace

f32 AttentionRow::sum() const {
  f64 sum = null_mass;
  for (const f32 weight : weights) sum += weight;
  return f32(sum);
}

u32 row_heads(const model::LayerSpec& layer) {
  return std::visit(Overload{[](const GroupedAttention& a) { return a.heads; },
                             [](const LatentAttention& a) { return a.heads; },
                             [](const model::DeltaNet&) { return 0u; }},
                    layer.attention);
}

u32 row_query_dim(const model::LayerSpec& layer) {
  return std::visit(Overload{[](const GroupedAttention& a) { return a.head_dim; },
                             [](const LatentAttention& a) { return a.cached_dim(); },
                             [](const model::DeltaNet&) { return 0u; }},
                    layer.attention);
}

u32 row_value_dim(const model::LayerSpec& layer) {
  return std::visit(Overload{[](const GroupedAttention& a) { return a.head_dim; },
                             [](const LatentAttention& a) { return a.value_dim; },
                             [](const model::DeltaNet&) { return 0u; }},
                    layer.attention);
}

void attention_rows(const RowsAt& at, u32 begin, bool with_read, std::span<AttentionRow> rows) {
  const model::LayerSpec& layer = at.model.spec.layers[at.layer];
  if (const auto* latent = std::get_if<LatentAttention>(&layer.attention))
    return latent_rows(at, *latent, begin, with_read, rows);
  const auto* a = std::get_if<GroupedAttention>(&layer.attention);
  if (!a) return;
  const u32 group = a->heads / a->kv_heads;
  for (u32 h = 0; h < rows.size();) {
    const u32 end = std::min(u32(rows.size()), ((begin + h) / group + 1) * group - begin);
    group_rows(at, *a, begin + h, with_read, rows.subspan(h, end - h));
    h = end;
  }
}

f32 read_difference(const AttentionRow& row, const f32* output) {
  f32 most = 0, largest = 0;
  for (u64 i = 0; i < row.read.size(); ++i) {
    most = std::max(most, std::abs(row.read[i] - output[i]));
    largest = std::max(largest, std::abs(output[i]));
  }
  if (row.read.empty()) return std::numeric_limits<f32>::quiet_NaN();
  return largest > 0 ? most / largest : most;
}

}  // namespace orrery::forward
