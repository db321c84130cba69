#include "ladder/attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>

#include "base/half.h"
#include "kernels/attention_sizes.h"

namespace orrery::ladder {

using kernels::kKeyChunk;
using kernels::kKeyTile;

std::shared_ptr<Heads> make_heads(u32 positions, u32 queries, u32 dim) {
  auto h = std::make_shared<Heads>();
  *h = {positions, queries, dim, {}, {}, {}, {}, {}, {}};
  std::mt19937 random(3);
  std::normal_distribution<f32> normal;
  for (u64 i = 0; i < u64(positions) * dim; ++i) {
    h->k16.push_back(f16_from_f32(normal(random)));
    h->v16.push_back(f16_from_f32(normal(random)));
    h->k.push_back(f32_from_f16(h->k16.back()));
    h->v.push_back(f32_from_f16(h->v16.back()));
  }
  for (u64 i = 0; i < u64(queries) * dim; ++i) h->q.push_back(normal(random));
  h->k_tiles.resize(h->k.size());
  for (u64 p = 0; p < positions; ++p)
    for (u64 d = 0; d < dim; ++d)
      h->k_tiles[(p / kKeyTile * dim + d) * kKeyTile + p % kKeyTile] = h->k[p * dim + d];
  return h;
}

namespace {

// A cache of one KV head in pages of 64 positions.
struct Cache {
  static constexpr u32 kPageTiles = 4;
  u64 page_bytes;
  HugeBuffer keys, values, scratch;
  std::vector<f32> rotated;
};

// Queries in groups as large as the kernel takes them, each through all chunks of keys.
void attend_all(const kernels::Kernels& kernels, const Heads& h, kernels::KvFormat format,
                const Cache& cache, const std::vector<u32>& ends, f32* out) {
  constexpr u32 kGroup = kernels::kQueryTileMax;
  const u64 page = kKeyTile * Cache::kPageTiles;
  for (u32 first = 0; first < h.queries; first += kGroup) {
    const u32 count = std::min(kGroup, h.queries - first);
    const f32* q[kGroup];
    f32 *value[kGroup], max[kGroup], sum[kGroup];
    for (u32 i = 0; i < count; ++i) {
      q[i] = &cache.rotated[u64(first + i) * h.dim];
      value[i] = out + u64(first + i) * h.dim;
      std::fill_n(value[i], h.dim, 0.0f);
      max[i] = -std::numeric_limits<f32>::infinity();
      sum[i] = 0;
    }
    for (u32 start = 0; start < ends[first + count - 1]; start += kKeyChunk) {
      const void *k_pages[kKeyChunk / 64], *v_pages[kKeyChunk / 64];
      for (u64 p = 0; p < kKeyChunk / page && start + p * page < h.positions; ++p) {
        k_pages[p] = cache.keys.data() + (start / page + p) * cache.page_bytes;
        v_pages[p] = cache.values.data() + (start / page + p) * cache.page_bytes;
      }
      u32 begin[kGroup] = {}, end[kGroup];
      for (u32 i = 0; i < count; ++i)
        end[i] = std::clamp(ends[first + i], start, start + kKeyChunk) - start;
      kernels.attend({format, h.dim, h.dim, 1 / std::sqrt(f32(h.dim)), count, q, Cache::kPageTiles,
                      k_pages, v_pages, begin, end, max, sum, value,
                      reinterpret_cast<f32*>(cache.scratch.data())});
    }
    for (u32 i = 0; i < count; ++i) {
      kernels.scale(1 / sum[i], value[i], h.dim);
      if (is_rounded(format)) kernels::hadamard(value[i], h.dim);
    }
  }
}

}  // namespace

Result<std::function<void(f32*)>> attention_kernel(const kernels::Kernels& kernels,
                                                   std::shared_ptr<Heads> heads,
                                                   kernels::KvFormat format,
                                                   std::vector<u32> ends) {
  const Heads& h = *heads;
  const u64 row_bytes = kernels::kv_row_bytes(format, h.dim);
  const u64 tile_bytes = kernels::key_tile_bytes(format, h.dim);
  auto cache = std::make_shared<Cache>();
  cache->page_bytes = Cache::kPageTiles * tile_bytes;  // of keys, and of values as well
  const u64 bytes = divide_up(h.positions, kKeyTile * Cache::kPageTiles) * cache->page_bytes;
  TRY(cache->keys, HugeBuffer::allocate(bytes));
  TRY(cache->values, HugeBuffer::allocate(bytes));
  TRY(cache->scratch, HugeBuffer::allocate(4 * kernels::attention_scratch_floats(h.dim)));
  cache->rotated = h.q;
  std::vector<f32> k(h.dim), v(h.dim);
  for (u64 p = 0; p < h.positions; ++p) {
    k.assign(&h.k[p * h.dim], &h.k[p * h.dim] + h.dim);
    v.assign(&h.v[p * h.dim], &h.v[p * h.dim] + h.dim);
    if (is_rounded(format)) {
      kernels::hadamard(k.data(), h.dim);
      kernels::hadamard(v.data(), h.dim);
    }
    kernels.store_kv(format, k.data(), v.data(), h.dim, h.dim,
                     cache->keys.data() + p / kKeyTile * tile_bytes,
                     cache->values.data() + p * row_bytes, p % kKeyTile);
  }
  if (is_rounded(format))
    for (u32 i = 0; i < h.queries; ++i) kernels::hadamard(&cache->rotated[u64(i) * h.dim], h.dim);
  return [kernels, heads, format, cache, ends = std::move(ends)](f32* out) {
    attend_all(kernels, *heads, format, *cache, ends, out);
  };
}

}  // namespace orrery::ladder
