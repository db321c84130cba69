// Laws of the forward pass over generated ModelSpecs, which need no oracle: what may not change a
// bit of the logits (chunking, threads, batch mates, pages, watching) and what must agree (a window
// wider than the text is none; shared heads are repeated heads). Also: a pass allocates nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "forward/forward.h"
#include "forward/visible_keys.h"
#include "support/random_model.h"

std::atomic<long> allocations{0};  // not hidden: the sampler's test looks at it too
// Not inlined: g++ 12 otherwise sees free() of what new gave and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace orrery::forward {
namespace {

using testing::RandomModel;

struct Case {
  model::ModelSpec spec;
  Format format;
  u32 seed;
};

Case make_case(u32 seed) {
  std::mt19937 random(seed * 7919 + 1);
  const auto pick = [&](std::initializer_list<u32> from) {
    return *(from.begin() + random() % from.size());
  };
  constexpr Format kFormats[] = {Format::kF32,    Format::kF16,  Format::kBF16,  Format::kQ8_0,
                                 Format::kQ4_0,   Format::kQ4_1, Format::kQ5_0,  Format::kQ5_1,
                                 Format::kIQ4_NL, Format::kQ4_K, Format::kQ6_K,  Format::kQ5_K,
                                 Format::kQ2_K,   Format::kQ3_K, Format::kIQ4_XS};
  Case c;
  c.seed = seed;
  c.format = kFormats[seed % std::size(kFormats)];
  const bool k_format = info(c.format).block_elements == 256;
  model::GroupedAttention a;
  a.kv_heads = pick({1, 2, 3});
  a.head_dim = k_format ? 64 : pick({8, 16, 32, 64});
  a.heads = a.kv_heads * (k_format ? 4 : pick({1, 2, 3, 4}));
  a.window = pick({0, 0, 1, 5, 16, 100});
  a.qkv_bias = random() % 3 == 0;
  a.output_bias = random() % 3 == 0;
  // Block formats need whole blocks along every depth.
  const u32 grain = info(c.format).block_elements;
  while (a.heads * a.head_dim % grain != 0) a.heads += a.kv_heads;
  model::DenseFfn f;
  f.width = k_format ? 256 * pick({1, 2}) : 32 * pick({1, 3, 5, 9});
  f.bias = random() % 3 == 0;
  c.spec.dim = k_format ? 256 : 32 * pick({1, 2, 3});
  c.spec.vocab = pick({17, 64, 321});
  c.spec.context = 4096;
  c.spec.norm_eps = 1e-5f;
  c.spec.tied_output = random() % 2;
  c.spec.rope.dim = a.head_dim;
  c.spec.rope.base = 10000;
  c.spec.layers.assign(pick({1, 2, 3}), model::LayerSpec{a, f});
  return c;
}

struct RunOptions {
  u32 chunk = 512, threads = 1;
  bool mates = false;    // other sequences in every batch
  u32 pages_before = 0;  // pages that other sequences took first
  trace::TapOn* tap = nullptr;
  kernels::KvFormat kv = kernels::KvFormat::kF16;
};

std::vector<i32> random_tokens(u32 count, u32 vocab, u32 seed) {
  std::mt19937 random(seed);
  std::vector<i32> tokens(count);
  for (i32& token : tokens) token = i32(random() % vocab);
  return tokens;
}

// Logits of every position [tokens, vocab].
std::vector<f32> logits_of(const model::Model& m, const std::vector<i32>& tokens,
                           const RunOptions& o) {
  const kernels::Kernels kernels = *kernels::resolve_from_environment();
  const u32 mates = o.mates ? 3 : 0, vocab = m.spec.vocab;
  ThreadTeam team(o.threads);
  KvCache cache = *KvCache::make(m.spec, o.kv, (tokens.size() + 64) * 6 + 64 * o.pages_before, 8);
  Scratch scratch = *Scratch::make(m, o.chunk + 16, o.chunk + 16, o.threads);
  const u32 stranger = *cache.open_sequence();
  EXPECT_TRUE(cache.reserve(stranger, o.pages_before * kPageTokens));
  const u32 mate_numbers[] = {*cache.open_sequence(), *cache.open_sequence(),
                              *cache.open_sequence()};
  const u32 sequence = *cache.open_sequence();
  std::vector<f32> out;
  std::vector<trace::TapRow> rows;
  u32 mate_position = 0;
  for (u32 at = 0; at < tokens.size(); at += o.chunk) {
    Batch batch;
    const auto add = [&](i32 token, u32 number, u32 position) {
      EXPECT_TRUE(cache.reserve(number, position + 1));
      batch.tokens.push_back({token, number, position, true});
    };
    // Mates stand before and after, of different lengths.
    for (u32 i = 0; i < mates; i += 2)
      for (u32 k = 0; k <= i; ++k)
        add(i32((at + 5 * i + k) % vocab), mate_numbers[i], mate_position * (i + 1) + k);
    const u32 before = batch.size();
    const u32 end = std::min<u32>(u32(tokens.size()), at + o.chunk);
    for (u32 i = at; i < end; ++i) add(tokens[i], sequence, i);
    if (mates) add(i32(at % vocab), mate_numbers[1], mate_position);
    ++mate_position;
    EXPECT_TRUE(check(m, batch, scratch));
    if (o.tap) {
      rows.clear();
      for (const BatchToken& token : batch.tokens)
        rows.push_back({token.sequence, token.position, true});
      o.tap->begin_step(at, {.points = ~u64(0), .rows = trace::Rows::kAll}, rows);
      forward(m, kernels, batch, cache, scratch, team, *o.tap);
    } else {
      trace::TapOff off;
      forward(m, kernels, batch, cache, scratch, team, off);
    }
    const f32* first = scratch.logits + u64(before) * vocab;
    out.insert(out.end(), first, first + u64(end - at) * vocab);
  }
  return out;
}

bool same_bits(const std::vector<f32>& a, const std::vector<f32>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(f32)) == 0;
}

class Laws : public ::testing::TestWithParam<u32> {
 protected:
  Case c = make_case(GetParam());
  RandomModel random{c.spec, c.format, c.seed};
  u32 length = 20 + GetParam() * 13 % 90;
  std::vector<i32> tokens = random_tokens(length, c.spec.vocab, c.seed);
  std::vector<f32> base = logits_of(random.model, tokens, {});
};

TEST_P(Laws, LogitsAreFiniteAndTokensMatter) {
  for (f32 value : base) ASSERT_TRUE(std::isfinite(value));
  std::vector<i32> others = tokens;
  others[0] = (others[0] + 1) % i32(c.spec.vocab);
  EXPECT_FALSE(same_bits(base, logits_of(random.model, others, {})));
}

TEST_P(Laws, ChunkingChangesNoBit) {
  for (u32 chunk : {1u, 7u, 64u}) {
    const std::vector<f32> got = logits_of(random.model, tokens, {.chunk = chunk});
    EXPECT_TRUE(same_bits(base, got)) << chunk;
  }
}

TEST_P(Laws, ThreadsChangeNoBit) {
  for (u32 threads : {2u, 3u}) {
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.threads = threads}))) << threads;
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.chunk = 1, .threads = threads})));
  }
}

TEST_P(Laws, BatchMatesAndPagesChangeNoBit) {
  EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.chunk = 9, .mates = true})));
  EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.pages_before = 3})));
}

TEST_P(Laws, WatchingChangesNoBitAndSeesEveryLayer) {
  trace::Ring ring(u64(64) << 20);
  trace::TapOn tap(ring);
  EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.threads = 2, .tap = &tap})));
  u64 residuals = 0;
  trace::Event event;
  while (ring.read(event)) residuals += event.header.point == trace::Point::kResidual;
  EXPECT_EQ(residuals, u64(length) * c.spec.layers.size());
}

TEST_P(Laws, AWindowAsWideAsTheTextIsNone) {
  model::Model other = {};
  other.spec = c.spec;
  other.weights = random.model.weights;
  const auto with_window = [&](u32 window) {
    for (model::LayerSpec& layer : other.spec.layers)
      std::get<model::GroupedAttention>(layer.attention).window = window;
    return logits_of(other, tokens, {});
  };
  const std::vector<f32> none = with_window(0);
  EXPECT_TRUE(same_bits(none, with_window(length)));
  EXPECT_TRUE(same_bits(none, with_window(length + 1)));
  EXPECT_FALSE(same_bits(none, with_window(length - 1)));  // the last token loses its first key
}

TEST_P(Laws, KvFormatsStayClose) {
  if (info(c.format).block_elements > 1)
    return;  // their int8 activations jump where a value rounds
  const std::vector<f32> exact = logits_of(random.model, tokens, {.kv = kernels::KvFormat::kF32});
  for (kernels::KvFormat kv : {kernels::KvFormat::kF16, kernels::KvFormat::kBf16}) {
    const std::vector<f32> got = logits_of(random.model, tokens, {.kv = kv});
    f64 difference = 0, size = 0;
    for (u64 i = 0; i < got.size(); ++i) {
      difference += std::pow(f64(got[i]) - exact[i], 2);
      size += std::pow(f64(exact[i]), 2);
    }
    EXPECT_LT(std::sqrt(difference / size), kv == kernels::KvFormat::kF16 ? 1e-2 : 3e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Generated, Laws, ::testing::Range(0u, 45u));

// A window of 1 sees only itself, a window of W never more than W keys.
TEST(VisibleKeys, AreTheWindowEndingAtTheQuery) {
  for (u32 window : {0u, 1u, 4u, 4096u})
    for (u32 position : {0u, 1u, 3u, 4u, 5000u}) {
      const Range keys = visible_keys(position, window);
      EXPECT_EQ(keys.end, position + 1);
      EXPECT_EQ(keys.size(), window ? std::min(window, position + 1) : position + 1);
    }
}

TEST(Forward, AllocatesNothingAfterStart) {
  const Case c = make_case(3);
  const RandomModel random(c.spec, c.format, 1);
  const kernels::Kernels kernels = *kernels::resolve_from_environment();
  ThreadTeam team(2);
  KvCache cache = *KvCache::make(c.spec, kernels::KvFormat::kF16, 1024, 1);
  Scratch scratch = *Scratch::make(random.model, 64, 4, 2);
  const u32 sequence = *cache.open_sequence();
  Batch batch;
  trace::TapOff off;
  u32 position = 0;
  const auto pass = [&](u32 count) {
    batch.tokens.clear();
    for (u32 i = 0; i < count; ++i)
      batch.tokens.push_back(
          {i32(position % c.spec.vocab), sequence, position + i, i + 1 == count});
    position += count;
    ASSERT_TRUE(check(random.model, batch, scratch));
    ASSERT_TRUE(cache.reserve(sequence, position));
    forward(random.model, kernels, batch, cache, scratch, team, off);
  };
  batch.tokens.reserve(64);
  const long before = allocations.load();
  pass(64);
  for (u32 i = 0; i < 70; ++i) pass(1);
  EXPECT_EQ(allocations.load(), before);
}

}  // namespace
}  // namespace orrery::forward
