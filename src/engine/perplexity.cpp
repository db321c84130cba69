#include "engine/perplexity.h"

#include <chrono>
#include <cmath>

namespace orrery::engine {
namespace {

// -log p of the expected token under softmax(logits); the sum in double, as it has 10^5 terms.
f64 surprise(std::span<const f32> logits, text::TokenId expected, const kernels::Kernels& kernels,
             std::vector<f32>& scratch) {
  const f32 max = kernels.max(logits.data(), u32(logits.size()));
  scratch.assign(logits.begin(), logits.end());
  const f64 sum = kernels.exp_sum(scratch.data(), u32(scratch.size()), max);
  return std::log(sum) - (f64(logits[u32(expected)]) - max);
}

class Mean {
 public:
  void add(f64 value) {
    sum_ += value;
    squares_ += value * value;
    ++count_;
  }
  void put_into(Perplexity& result) const {
    const f64 mean = sum_ / f64(count_);
    const f64 variance = squares_ / f64(count_) - mean * mean;
    result.value = std::exp(mean);
    result.deviation =
        count_ > 1 && variance > 0 ? result.value * std::sqrt(variance / f64(count_ - 1)) : 0;
    result.tokens_scored = count_;
  }

 private:
  f64 sum_ = 0, squares_ = 0;
  u64 count_ = 0;
};

}  // namespace

Result<Perplexity> perplexity(Engine& engine, std::string_view text, u32 window,
                              const OnWindow& on_window) {
  const text::Tokenizer* tokenizer = engine.tokenizer();
  if (!tokenizer) return fail("this model has no tokenizer: {}", engine.why_no_tokenizer());
  if (window < 4 || window > engine.context())
    return fail("a window of {} tokens; it must be 4 to {}", window, engine.context());
  std::vector<text::TokenId> tokens = tokenizer->encode(text, text::Special::kText, true);
  if (tokens.size() < 2 * u64(window))
    return fail(
        "the text has {} tokens; two windows of {} are the least (a smaller --ctx needs less)",
        tokens.size(), window);
  // A tokenizer that adds BOS shows it on any text.
  const auto bos = tokenizer->bos();
  const bool adds_bos = bos && tokens.front() == *bos;
  const u32 windows = u32(tokens.size() / window);
  const u32 first = window / 2;

  Perplexity result;
  Mean mean;
  std::vector<f32> scratch;
  TRY(Sequence sequence, engine.start());
  const auto start = std::chrono::steady_clock::now();
  for (u32 i = 0; i < windows; ++i) {
    const std::span<text::TokenId> part(tokens.data() + u64(i) * window, window);
    if (adds_bos) part.front() = *bos;
    sequence.truncate(0);
    const auto count = [&](u32 index, std::span<const f32> logits) -> Result<void> {
      if (index + 1 == window) return {};
      const text::TokenId expected = part[index + 1];
      if (expected < 0 || u64(expected) >= logits.size())
        return fail("token {} of the text is outside the model's {} tokens", expected,
                    logits.size());
      mean.add(surprise(logits, expected, engine.kernels(), scratch));
      return {};
    };
    CHECK_OK(engine.score(sequence, part, first, count));
    result.windows = i + 1;
    result.tokens += window;
    result.seconds = std::chrono::duration<f64>(std::chrono::steady_clock::now() - start).count();
    mean.put_into(result);
    if (on_window && !on_window(result, windows)) break;
  }
  return result;
}

}  // namespace orrery::engine
