#include "kernels/kv_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"

namespace orrery::kernels {
namespace {

constexpr f32 kLargestHalf = 65504;

// The scale (f16 bits) of a group, and the factor that takes its values to integers.
struct GroupScale {
  u16 bits;
  f32 factor;
};

GroupScale scale_of(const f32* x, u32 n, f32 largest_integer) {
  f32 largest = 0;
  for (u32 i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  const u16 bits = f16_from_f32(std::min(largest / largest_integer, kLargestHalf));
  const f32 scale = f32_from_f16(bits);
  return {bits, scale > 0 ? 1 / scale : 0};
}

i32 rounded(f32 x, const GroupScale& scale, f32 low, f32 high) {
  const f32 value = x * scale.factor;
  return value == value ? i32(std::nearbyint(std::clamp(value, low, high))) : 0;
}

// Calls group(first, count) for each group of `dim` values.
template <typename Group>
void each_group(u32 dim, Group group) {
  for (u32 first = 0; first < dim; first += kKvGroup) group(first, std::min(kKvGroup, dim - first));
}

void store_key_8(const f32* k, u32 head_dim, u8* tile, u32 lane) {
  each_group(head_dim, [&](u32 first, u32 count) {
    const GroupScale scale = scale_of(k + first, count, 127);
    std::memcpy(tile + 2 * lane, &scale.bits, 2);
    tile += 2 * kKeyTile;
    for (u32 i = 0; i < count; ++i, tile += kKeyTile)
      tile[lane] = u8(i8(rounded(k[first + i], scale, -127, 127)));
  });
}

void store_value_8(const f32* v, u32 dim, u8* row) {
  u8* scales = row + dim;
  each_group(dim, [&](u32 first, u32 count) {
    const GroupScale scale = scale_of(v + first, count, 127);
    std::memcpy(scales + first / kKvGroup * 2, &scale.bits, 2);
    for (u32 i = 0; i < count; ++i)
      row[first + i] = u8(i8(rounded(v[first + i], scale, -127, 127)));
  });
}

u32 nibble(f32 x, const GroupScale& scale) { return u32(rounded(x, scale, -8, 7) + 8); }

void store_key_4(const f32* k, u32 head_dim, u8* tile, u32 lane) {
  each_group(head_dim, [&](u32 first, u32 count) {
    const GroupScale scale = scale_of(k + first, count, 7);
    std::memcpy(tile + 2 * lane, &scale.bits, 2);
    tile += 2 * kKeyTile;
    for (u32 i = 0; i < count; i += 2, tile += kKeyTile)
      tile[lane] = u8(nibble(k[first + i], scale) | nibble(k[first + i + 1], scale) << 4);
  });
}

void store_value_4(const f32* v, u32 dim, u8* row) {
  u8* scales = row + dim / 2;
  each_group(dim, [&](u32 first, u32 count) {
    const GroupScale scale = scale_of(v + first, count, 7);
    std::memcpy(scales + first / kKvGroup * 2, &scale.bits, 2);
    for (u32 i = 0; i < count; i += 16)
      for (u32 j = 0; j < 8; ++j)
        row[(first + i) / 2 + j] =
            u8(nibble(v[first + i + j], scale) | nibble(v[first + i + j + 8], scale) << 4);
  });
}

}  // namespace

std::string_view name(KvFormat format) {
  constexpr std::string_view kNames[] = {"f16", "bf16", "f32", "q8", "q4"};
  return kNames[u8(format)];
}

void store_rounded_kv(KvFormat format, const f32* k, const f32* v, u32 head_dim, u32 value_dim,
                      void* k_tile, void* v_row, u32 lane) {
  u8 *tile = static_cast<u8*>(k_tile), *row = static_cast<u8*>(v_row);
  if (format == KvFormat::kQ8) {
    store_key_8(k, head_dim, tile, lane);
    store_value_8(v, value_dim, row);
  } else {
    store_key_4(k, head_dim, tile, lane);
    store_value_4(v, value_dim, row);
  }
}

void hadamard(f32* x, u32 n) {
  const u32 size = std::min(n & (~n + 1), 256u);
  const f32 norm = 1 / std::sqrt(f32(size));
  for (u32 block = 0; block < n; block += size, x += size) {
    for (u32 half = 1; half < size; half *= 2)
      for (u32 i = 0; i < size; i += 2 * half)
        for (u32 j = i; j < i + half; ++j) {
          const f32 a = x[j], b = x[j + half];
          x[j] = a + b;
          x[j + half] = a - b;
        }
    for (u32 i = 0; i < size; ++i) x[i] *= norm;
  }
}

}  // namespace orrery::kernels
