// Kernels: the table of functions that do all the arithmetic, and the plain structs they take.
//
// One meaning, several rungs. `scalar/` fills every slot and is the oracle: the only place where
// meaning is defined. Each rung (avx2, avx_vnni, avx512, avx512_vnni, amx) overwrites the slots
// that it improves and must give the same bits; `resolve()` climbs as far as the CPU and ORRERY_ISA
// allow.
//
// The repeatability contract lives here: each output is one fixed sequence of operations along the
// depth K, whatever the number of columns, panels or threads; `-ffp-contract=off`, explicit fma
// only. Kernels see plain structs and pointers: no containers, one indirect call a row block.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "kernels/activations.h"
#include "kernels/kv_format.h"
#include "kernels/packed.h"

namespace orrery::kernels {

enum class Isa : u8 { kScalar, kAvx2, kAvxVnni, kAvx512, kAvx512Vnni, kAmx };
inline constexpr u32 kIsaCount = 6;
[[nodiscard]] std::string_view name(Isa isa);  // "scalar", "avx2", "avx_vnni", "avx512", ...
// CPUID and the operating system's permission: XGETBV, and for kAmx a request to the kernel.
[[nodiscard]] bool cpu_has(Isa isa);

// A chunk of keys is 512 positions. Attention is defined as: within a chunk (aligned
// to multiples of 512 of the absolute position) a single softmax over its visible keys; the chunks
// are then combined left to right. So no split of the work can change a bit (forward/attention.h).
inline constexpr u32 kKeyChunk = 512;

// One query head against one chunk of one KV head. Keys lie in tiles and values in rows of a
// KvFormat (kv_format.h), both contiguous within a page of the cache.
struct AttentionChunk {
  KvFormat format;
  u32 head_dim, value_dim;  // multiples of 8
  f32 scale;                // softmax scale, on q.k
  u32 queries;          // how many queries are answered together; they share all keys of the pages
  const f32* const* q;  // [queries] -> [head_dim]
  u32 page_tiles;       // 16-key tiles in a page of the cache
  const void* const* k_pages;  // pages of this chunk, in order: [page_tiles] tiles
  const void* const* v_pages;  // [page_tiles * 16] rows
  const u32* key_begin;        // [queries] first visible key, relative to the chunk, 0 .. 512
  const u32* key_end;          // [queries] one past the last visible key, relative to the chunk
  // In and out, the running softmax of each query (start: max = -inf, sum = 0, value = 0):
  f32* max;           // [queries]
  f32* sum;           // [queries]
  f32* const* value;  // [queries] -> [value_dim], not yet divided by sum
  f32* scratch;       // at least attention_scratch_floats(...) floats, 64-byte aligned
};
[[nodiscard]] u64 attention_scratch_floats(u32 value_dim);

// Tokens of one head of a gated delta net, one after the other. Yang, Kautz and Hatamizadeh 2024,
// "Gated Delta Networks", eq. 10: S = decay S; S += k (beta (v - k S)); out = q S.
struct DeltaRun {
  u32 tokens, key_dim, value_dim;
  const f32* q;  // [tokens][key_dim]
  const f32* k;  // [tokens][key_dim]
  const f32* v;  // [tokens] -> [value_dim], v_stride apart
  u64 v_stride;
  const f32* decay;  // [tokens]
  const f32* beta;   // [tokens]
  f32* state;        // [key_dim][value_dim], in and out
  f32* out;          // [tokens] -> [value_dim], out_stride apart
  u64 out_stride;
};

struct Kernels {
  Isa isa = Isa::kScalar;

  // out[column * out_stride + row] = sum over K of weight[row][k] * activation[column][k], for the
  // rows of panels [panel_begin, panel_end) and all columns. Rows past weights.rows in the last
  // panel are not written. `add`: the sum is added to what stands in out instead (one float
  // addition at the end). One slot a packed layout.
  using Matmul = void (*)(const PackedMatrix& weights, const Activations& activations,
                          u32 panel_begin, u32 panel_end, f32* out, u64 out_stride, bool add);
  Matmul matmul[kLayoutCount] = {};
  Isa matmul_isa[kLayoutCount] = {};  // the rung that filled each slot, for `inspect --kernels`

  // Fills `to` (kind, depth, columns set; storage big enough) from columns [begin, end) of
  // x[column * x_stride + k]. Definition of each kind: kernels/activations.h.
  void (*quantize)(const f32* x, u64 x_stride, const Activations& to, u32 begin, u32 end) = nullptr;

  // out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]. Sum of squares in 16 interleaved lanes, then
  // the tree of reduce16(). Zhang & Sennrich 2019, eq. 4.
  void (*rms_norm)(const f32* x, const f32* weight, f32* out, u32 n, f32 eps) = nullptr;

  // Rotates pairs of `x` [heads][head_dim] in place by the angles whose cosines and sines are given
  // [rotary_dim / 2]; half-split pairs (i, i + rotary_dim / 2). Su et al. 2021, eq. 34.
  void (*rope)(f32* x, u32 heads, u32 head_dim, u32 rotary_dim, const f32* cos,
               const f32* sin) = nullptr;

  // out[i] = silu(gate[i]) * up[i] with silu(x) = x / (1 + exp(-x)). Shazeer 2020, SwiGLU.
  void (*swiglu)(const f32* gate, const f32* up, f32* out, u32 n) = nullptr;

  void (*silu)(f32* x, u32 n) = nullptr;  // x[i] = x[i] / (1 + exp(-x[i]))

  // Sums over key_dim are one fma chain for each value, from 0 on.
  void (*delta)(const DeltaRun& run) = nullptr;

  void (*add)(const f32* x, f32* to, u32 n) = nullptr;  // to[i] += x[i]
  void (*scale)(f32 factor, f32* x, u32 n) = nullptr;   // x[i] *= factor
  f32 (*max)(const f32* x, u32 n) = nullptr;            // largest of n >= 1 values
  // Replaces x by exp(x - max) and returns the sum (16 lanes, then reduce16()).
  f32 (*exp_sum)(f32* x, u32 n, f32 max) = nullptr;

  // Writes a new key and value row into the cache's tile layout (see AttentionChunk).
  void (*store_kv)(KvFormat format, const f32* k, const f32* v, u32 head_dim, u32 value_dim,
                   void* k_tile, void* v_row, u32 lane) = nullptr;
  // Writes 16 keys of n elements each (2 or 4 bytes) as a tile [n][16] (see AttentionChunk).
  void (*tile_rows)(const void* const* rows, u32 n, u32 element_bytes, void* tile) = nullptr;
  void (*attend)(const AttentionChunk& chunk) = nullptr;

  // One row of a packed matrix as floats [cols]: the embedding of a token.
  void (*decode_row)(const PackedMatrix& weights, u32 row, f32* out) = nullptr;
};

// The kernels of the highest rung that the CPU has and that `ceiling` allows. An empty ceiling: as
// high as possible; an unknown name or a rung that the CPU lacks is an error.
[[nodiscard]] Result<Kernels> resolve(std::string_view ceiling = {});

// resolve() with the ceiling from the environment variable ORRERY_ISA.
[[nodiscard]] Result<Kernels> resolve_from_environment();

}  // namespace orrery::kernels
