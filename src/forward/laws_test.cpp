// Laws of the forward pass over generated ModelSpecs, which need no oracle: what may not change a
// bit of the logits (chunking, threads, batch mates, pages, watching) and what must agree (a window
// wider than the text is none; shared heads are repeated heads). Also: a pass allocates nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
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

constexpr Format kFormats[] = {Format::kF32,    Format::kF16,  Format::kBF16,  Format::kQ8_0,
                               Format::kQ4_0,   Format::kQ4_1, Format::kQ5_0,  Format::kQ5_1,
                               Format::kIQ4_NL, Format::kQ4_K, Format::kQ6_K,  Format::kQ5_K,
                               Format::kQ2_K,   Format::kQ3_K, Format::kIQ4_XS};

// Draws the parts of a spec. Block formats need whole blocks along every depth.
class SpecMaker {
 public:
  explicit SpecMaker(u32 seed) : random_(seed * 7919 + 1), format_(kFormats[seed % 15]) {
    grain_ = std::max(info(format_).block_elements, 32u);
  }

  Case make(u32 seed) {
    Case c;
    c.seed = seed;
    c.format = format_;
    c.spec.dim = grain_ == 256 ? 256 : 32 * pick({1, 2, 3});
    c.spec.vocab = pick({17, 64, 97});
    c.spec.context = 4096;
    c.spec.norm_eps = 1e-5f;
    c.spec.tied_output = chance(2);
    c.spec.rope.dim = rope_dim_ = pick({8, 16});
    c.spec.rope.base = 10000;
    if (chance(8)) {
      c.spec.rope.scaling = model::Rope::Scaling::kYarn;
      c.spec.rope.factor = 4;
      c.spec.rope.original_context = 16;
      c.spec.rope.magnitude = 1.1;
    }
    // The first 45 seeds are plain models; the others draw each layer.
    const bool plain = seed < 45;
    const model::LayerSpec first = {grouped(), dense()};
    c.spec.layers.assign(pick({1, 2, 3}), first);
    for (model::LayerSpec& layer : c.spec.layers)
      if (!plain) layer = {attention(), ffn()};
    return c;
  }

 private:
  u32 pick(std::initializer_list<u32> from) { return *(from.begin() + random_() % from.size()); }
  bool chance(u32 of) { return random_() % of == 0; }
  u32 wide(u32 times) { return grain_ * times; }

  model::Attention attention() {
    if (chance(3)) return latent();
    if (chance(3)) return delta();
    return grouped();
  }
  model::Ffn ffn() {
    if (chance(2)) return experts();
    return dense();
  }

  model::GroupedAttention grouped() {
    model::GroupedAttention a;
    a.kv_heads = pick({1, 2, 3});
    a.head_dim = grain_ == 256 ? 64 : pick({16, 32, 64});
    a.heads = a.kv_heads * (grain_ == 256 ? 4 : pick({1, 2, 3, 4}));
    while (a.heads * a.head_dim % grain_ != 0) a.heads += a.kv_heads;
    a.window = pick({0, 0, 1, 5, 16, 100});
    a.chunk = chance(5) ? pick({7, 32}) : 0;
    a.qkv_bias = chance(3);
    a.output_bias = chance(3);
    a.rope = !chance(5);
    a.qk_norm = model::QkNorm(pick({0, 0, 1, 2}));
    a.gate = chance(4);
    a.sinks = chance(4);
    if (chance(4)) a.temperature = {.scale = 0.2f, .length = 8, .offset = 1};
    return a;
  }

  model::LatentAttention latent() {
    model::LatentAttention a;
    a.heads = pick({1, 2, 5});
    a.query_rank = pick({0, 1}) * wide(1);
    a.kv_rank = pick({16, 32, 40});
    a.nope_dim = pick({8, 24});
    a.rope_dim = rope_dim_;
    a.value_dim = pick({16, 32});
    while (a.heads * a.value_dim % grain_ != 0) ++a.heads;
    a.scale = 0.2f;
    a.bias = chance(4);
    if (a.query_rank && chance(2)) a.indexer = {.heads = 3, .head_dim = 16, .keys_max = 24};
    if (chance(4)) a.temperature = {.scale = 0.2f, .length = 8};
    return a;
  }

  model::DeltaNet delta() {
    model::DeltaNet d;
    d.key_heads = pick({1, 2});
    d.value_heads = d.key_heads * pick({1, 2});
    d.key_dim = pick({8, 16});
    d.value_dim = grain_;
    d.conv_width = pick({1, 4});
    d.strided_groups = chance(2);
    return d;
  }

  model::DenseFfn dense() {
    model::DenseFfn f;
    f.width = grain_ == 256 ? wide(pick({1, 2})) : 32 * pick({1, 3, 5});
    f.bias = chance(3);
    return f;
  }

  model::ExpertFfn experts() {
    model::ExpertFfn f;
    f.experts = 4 * pick({1, 2, 3});
    f.active = pick({1, 2, 3});
    f.width = wide(1);
    f.shared_width = pick({0, 1}) * wide(1);
    f.shared_gate = f.shared_width && chance(2);
    f.bias = chance(4);
    if (chance(4)) f.unit = {.limit = 1, .alpha = 1.7f, .shift = 1};
    f.router.score = model::Router::Score(pick({0, 1}));
    f.router.bias = chance(4);
    f.router.selection_bias = chance(3);
    f.router.renormalize = chance(2);
    f.router.scale = chance(3) ? 2.5f : 1;
    if (chance(3)) {
      f.router.groups = 4;
      f.router.groups_kept = 3;
    }
    f.router.weighs_input = chance(5);
    return f;
  }

  std::mt19937 random_;
  Format format_;
  u32 grain_, rope_dim_ = 8;
};

Case make_case(u32 seed) { return SpecMaker(seed).make(seed); }

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
  u32 length = 20 + GetParam() * 13 % 50;
  std::vector<i32> tokens = random_tokens(length, c.spec.vocab, c.seed);
  std::vector<f32> base = logits_of(random.model, tokens, {});

  void logits_are_finite_and_tokens_matter() const {
    for (f32 value : base) ASSERT_TRUE(std::isfinite(value));
    std::vector<i32> others = tokens;
    others[0] = (others[0] + 1) % i32(c.spec.vocab);
    EXPECT_FALSE(same_bits(base, logits_of(random.model, others, {})));
  }

  void chunking_changes_no_bit() const {
    for (u32 chunk : {1u, 7u})
      EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.chunk = chunk}))) << chunk;
  }

  void threads_change_no_bit() const {
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.threads = 3})));
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.chunk = 11, .threads = 2})));
  }

  void batch_mates_and_pages_change_no_bit() const {
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.chunk = 9, .mates = true})));
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.pages_before = 3})));
  }

  void watching_changes_no_bit_and_sees_every_layer() const {
    trace::Ring ring(u64(64) << 20);
    trace::TapOn tap(ring);
    EXPECT_TRUE(same_bits(base, logits_of(random.model, tokens, {.threads = 2, .tap = &tap})));
    u64 residuals = 0;
    trace::Event event;
    while (ring.read(event)) residuals += event.header.point == trace::Point::kResidual;
    EXPECT_EQ(residuals, u64(length) * c.spec.layers.size());
  }

  // Logits of the same weights under an edited spec.
  std::vector<f32> edited(const std::function<void(model::LayerSpec&)>& edit) const {
    model::Model other = {};
    other.spec = c.spec;
    other.weights = random.model.weights;
    for (model::LayerSpec& layer : other.spec.layers) edit(layer);
    return logits_of(other, tokens, {});
  }

  // A window or a chunk as wide as the text is none, one key fewer is felt.
  void what_covers_the_text_changes_nothing() const {
    const auto with = [&](u32 window, u32 chunk, u32 keys_max) {
      return edited([=](model::LayerSpec& layer) {
        if (auto* a = std::get_if<model::GroupedAttention>(&layer.attention)) {
          a->window = window;
          a->chunk = chunk;
        }
        if (auto* a = std::get_if<model::LatentAttention>(&layer.attention); a && keys_max)
          a->indexer.keys_max = keys_max;
      });
    };
    const std::vector<f32> none = with(0, 0, length);
    EXPECT_TRUE(same_bits(none, with(length, 0, length + 1)));
    EXPECT_TRUE(same_bits(none, with(length + 1, length, length)));
    const bool windows =
        std::any_of(c.spec.layers.begin(), c.spec.layers.end(), [](const model::LayerSpec& layer) {
          return std::holds_alternative<model::GroupedAttention>(layer.attention);
        });
    if (windows) {
      EXPECT_FALSE(same_bits(none, with(length - 1, 0, length)));
    }
  }

  void kv_formats_stay_close() const {
    // int8 activations jump where a value rounds, and so do choices of experts and keys.
    const bool chooses = c.seed >= 45;
    if (info(c.format).block_elements > 1 || chooses) return;
    const std::vector<f32> exact = logits_of(random.model, tokens, {.kv = kernels::KvFormat::kF32});
    for (const auto& [kv, most] : {std::pair{kernels::KvFormat::kF16, 1e-2},
                                   {kernels::KvFormat::kBf16, 3e-2},
                                   {kernels::KvFormat::kQ8, 3e-2},
                                   {kernels::KvFormat::kQ4, 3e-1}}) {
      if (!takes(kv)) continue;
      const std::vector<f32> got = logits_of(random.model, tokens, {.kv = kv});
      f64 difference = 0, size = 0;
      for (u64 i = 0; i < got.size(); ++i) {
        difference += std::pow(f64(got[i]) - exact[i], 2);
        size += std::pow(f64(exact[i]), 2);
      }
      EXPECT_LT(std::sqrt(difference / size), most) << kernels::name(kv);
    }
  }

  // Whether the heads of all layers suit the format.
  [[nodiscard]] bool takes(kernels::KvFormat kv) const {
    return std::all_of(c.spec.layers.begin(), c.spec.layers.end(), [&](const auto& layer) {
      const auto* a = std::get_if<model::GroupedAttention>(&layer.attention);
      return !a || a->head_dim % kernels::kv_dim_grain(kv) == 0;
    });
  }

  void rounded_kv_depends_on_no_company() const {
    for (const kernels::KvFormat kv : {kernels::KvFormat::kQ8, kernels::KvFormat::kQ4}) {
      if (!takes(kv)) continue;
      const std::vector<f32> whole = logits_of(random.model, tokens, {.kv = kv});
      EXPECT_TRUE(same_bits(
          whole,
          logits_of(random.model, tokens,
                    {.chunk = 3, .threads = 2, .mates = true, .pages_before = 2, .kv = kv})));
    }
  }
};

TEST_P(Laws, Hold) {
  ASSERT_TRUE(model::check(c.spec));
  logits_are_finite_and_tokens_matter();
  chunking_changes_no_bit();
  threads_change_no_bit();
  batch_mates_and_pages_change_no_bit();
  watching_changes_no_bit_and_sees_every_layer();
  what_covers_the_text_changes_nothing();
  kv_formats_stay_close();
  rounded_kv_depends_on_no_company();
}

// The scalar rung is slow and the same for all; it takes every fifth.
INSTANTIATE_TEST_SUITE_P(Generated, Laws,
                         ::testing::Range(0u, 220u, std::getenv("ORRERY_ISA") ? 5u : 1u));

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
