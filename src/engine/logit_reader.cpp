#include "engine/logit_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

namespace orrery::engine {
namespace {

constexpr u64 kBlock = 1024;  // with its weights 8 KiB of a 32 KiB cache
constexpr u64 kSmall = 128;   // a maximum for each: 384 of them for 49,152 tokens
// exp() of less is zero as a float, and a product of zero and -inf must not become NaN.
constexpr f32 kLeast = -104;

using Lanes [[gnu::vector_size(16)]] = f32;

// sum of weight * (logit - max) over n values, four sums wide so that no addition waits.
f64 weighted_sum(const f32* weights, const f32* logits, f32 max, u64 n) {
  constexpr u64 kWide = 4;
  Lanes sums[kWide] = {};
  u64 i = 0;
  for (; i + 4 * kWide <= n; i += 4 * kWide)
    for (u64 k = 0; k < kWide; ++k) {
      Lanes w, x;
      std::memcpy(&w, weights + i + 4 * k, sizeof(w));
      std::memcpy(&x, logits + i + 4 * k, sizeof(x));
      x -= max;
      x = x > kLeast ? x : Lanes{} + kLeast;
      sums[k] += w * x;
    }
  const Lanes all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  f64 sum = (f64(all[0]) + all[1]) + (f64(all[2]) + all[3]);
  for (; i < n; ++i) sum += f64(weights[i]) * std::max(logits[i] - max, kLeast);
  return sum;
}

}  // namespace

void LogitReader::read(std::span<const f32> logits) {
  logits_ = logits;
  blocks_.resize(divide_up(u64(logits.size()), kBlock));
  greatest_.resize(divide_up(u64(logits.size()), kSmall));
  team_->run([this](Worker& worker) {
    const Range mine = worker.share(blocks_.size());
    for (u64 block = mine.begin; block < mine.end; ++block) read_block(block);
  });
  join();
}

void LogitReader::read_block(u64 block) {
  const u64 begin = block * kBlock, end = std::min<u64>(begin + kBlock, logits_.size());
  Block& to = blocks_[block];
  to = {.max = -std::numeric_limits<f32>::infinity(), .sum = 0, .weighted = 0};
  for (u64 at = begin; at < end; at += kSmall) {
    const f32 max = kernels_->max(&logits_[at], u32(std::min(kSmall, end - at)));
    greatest_[at / kSmall] = max;
    to.max = std::max(to.max, max);
  }
  if (!std::isfinite(to.max)) return;  // nothing here is possible
  alignas(64) f32 weights[kBlock];
  std::memcpy(weights, &logits_[begin], (end - begin) * sizeof(f32));
  to.sum = f64(kernels_->exp_sum(weights, u32(end - begin), to.max));
  to.weighted = weighted_sum(weights, &logits_[begin], to.max, end - begin);
}

// With m the greatest of all: sum = sum_b e^(m_b - m) s_b, and the mean of x - m is
// sum_b e^(m_b - m) (w_b + (m_b - m) s_b) / sum; the entropy is log(sum) less that mean.
void LogitReader::join() {
  f32 max = -std::numeric_limits<f32>::infinity();
  for (const Block& block : blocks_) max = std::max(max, block.max);
  f64 sum = 0, weighted = 0;
  for (const Block& block : blocks_) {
    if (block.sum <= 0) continue;
    const f64 below = f64(block.max) - f64(max), factor = std::exp(below);
    sum += factor * block.sum;
    weighted += factor * (block.weighted + below * block.sum);
  }
  log_sum_ = f64(max) + std::log(sum);
  entropy_ = std::log(sum) - weighted / sum;
}

u32 LogitReader::best(std::span<Best> best) {
  if (best.empty()) return 0;
  // As many small blocks as are asked for have a maximum of at least `least`, so at least as many
  // logits do.
  f32 least = -std::numeric_limits<f32>::infinity();
  if (best.size() <= greatest_.size()) {
    selection_.assign(greatest_.begin(), greatest_.end());
    const auto last = selection_.begin() + i64(best.size()) - 1;
    std::nth_element(selection_.begin(), last, selection_.end(), std::greater<>());
    least = *last;
  }
  u32 count = 0;
  for (u64 small = 0; small < greatest_.size(); ++small) {
    if (greatest_[small] < least) continue;
    const u64 end = std::min<u64>((small + 1) * kSmall, logits_.size());
    for (u64 id = small * kSmall; id < end; ++id) {
      const f32 logit = logits_[id];
      if (count == best.size() && !(logit > best[count - 1].logit)) continue;
      u32 at = count < best.size() ? count++ : count - 1;
      for (; at > 0 && logit > best[at - 1].logit; --at) best[at] = best[at - 1];
      best[at] = {i32(id), logit};
    }
  }
  return count;
}

u32 LogitReader::rank(f32 logit) const {
  u32 rank = 0;
  for (u64 small = 0; small < greatest_.size(); ++small) {
    if (!(greatest_[small] > logit)) continue;
    const u64 end = std::min<u64>((small + 1) * kSmall, logits_.size());
    for (u64 id = small * kSmall; id < end; ++id) rank += logits_[id] > logit;
  }
  return rank;
}

}  // namespace orrery::engine
