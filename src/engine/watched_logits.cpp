// What a row of logits says, for a viewer: entropy, the best tokens, a token's log probability. One
// pass in the kernels, one for the entropy; the best are looked for only in blocks that can hold
// one.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/watched_run.h"

namespace orrery::engine {
namespace {

using Lanes [[gnu::vector_size(16)]] = f32;

// sum of weight * (logit - max), in blocks, so that float sums stay short.
f64 weighted_sum(const f32* weights, const f32* logits, f32 max, u64 n) {
  constexpr u64 kBlock = 1024;
  f64 sum = 0;
  for (u64 begin = 0; begin < n; begin += kBlock) {
    const u64 end = std::min(n, begin + kBlock);
    Lanes block = {};
    u64 i = begin;
    for (; i + 4 <= end; i += 4) {
      Lanes w, x;
      std::memcpy(&w, weights + i, sizeof(w));
      std::memcpy(&x, logits + i, sizeof(x));
      block += w * (x - max);
    }
    sum += (f64(block[0]) + block[1]) + (f64(block[2]) + block[3]);
    for (; i < end; ++i)
      if (weights[i] > 0) sum += f64(weights[i]) * (logits[i] - max);
  }
  return sum;
}

struct Best {
  text::TokenId id;
  f32 logit;
};

// The best tokens, best first, the smaller id first among equals.
u32 best_tokens(const kernels::Kernels& kernels, std::span<const f32> logits,
                std::span<Best> best) {
  constexpr u64 kBlock = 128;
  u32 count = 0;
  for (u64 begin = 0; begin < logits.size(); begin += kBlock) {
    const u32 here = u32(std::min<u64>(kBlock, logits.size() - begin));
    if (count == best.size() && !(kernels.max(&logits[begin], here) > best[count - 1].logit))
      continue;
    for (u64 id = begin; id < begin + here; ++id) {
      const f32 logit = logits[id];
      if (count == best.size() && !(logit > best[count - 1].logit)) continue;
      u32 at = count < best.size() ? count++ : count - 1;
      for (; at > 0 && logit > best[at - 1].logit; --at) best[at] = best[at - 1];
      best[at] = {text::TokenId(id), logit};
    }
  }
  return count;
}

}  // namespace

// Fills in entropy and candidates; `logprob` and `rank` of the token `id`, or, when it is not known
// yet, the logarithm of the sum of all weights in `logprob`.
void WatchedRun::read_logits(std::span<const f32> logits, std::optional<text::TokenId> id,
                             SeenToken& token) {
  const kernels::Kernels& kernels = engine_->kernels();
  const u32 n = u32(logits.size());
  weights_.assign(logits.begin(), logits.end());
  const f32 max = kernels.max(weights_.data(), n);
  const f64 sum = kernels.exp_sum(weights_.data(), n, max);
  const f64 log_sum = f64(max) + std::log(sum);
  token.entropy = f32(std::log(sum) - weighted_sum(weights_.data(), logits.data(), max, n) / sum);
  Best best[kWatchedCandidates];
  const u32 count = best_tokens(kernels, logits, best);
  const text::Tokenizer* tokenizer = engine_->tokenizer();
  token.candidates.clear();
  for (u32 i = 0; i < count; ++i) {
    SeenCandidate candidate{.id = best[i].id, .logprob = f32(f64(best[i].logit) - log_sum)};
    if (tokenizer)
      candidate.text = tokenizer->is_special(candidate.id)
                           ? std::string(tokenizer->token_name(candidate.id))
                           : tokenizer->token_bytes(candidate.id);
    token.candidates.push_back(std::move(candidate));
  }
  token.logprob = f32(log_sum);
  if (!id) return;
  const f32 logit = logits[u32(*id)];
  token.logprob = f32(f64(logit) - log_sum);
  token.rank = 0;
  for (const f32 other : logits) token.rank += other > logit;
}

}  // namespace orrery::engine
