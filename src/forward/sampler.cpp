// Sampler: penalties on the logits, one scan for the greatest, then a list of entries that each
// step shortens. A step finds its last entry in a scratch copy (nth_element) and drops what is
// worse from the list, which stays in order of id: so neither a library's way to select nor the
// steps before it have a say in which token a draw falls on.
#include "forward/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

namespace orrery::forward {
namespace {

constexpr f32 kInfinity = std::numeric_limits<f32>::infinity();
constexpr u32 kBlock =
    64;  // logits a maximum: 2 % more to read for top-k, and 40 blocks are soon read
// exp() of less is no normal float: such a token would be drawn once in 10^38.
constexpr f32 kScoreMin = -87;

// Four floats that the compiler keeps in one register of any machine.
using Lanes [[gnu::vector_size(16)]] = f32;
constexpr u32 kLanes = 4;

struct Allowed {
  const char* name;
  f32 value, least, greatest;
};

// SplitMix64, Steele, Lea & Flood 2014: one word of state, every seed is as good as any other.
u64 next_random(u64& state) {
  u64 z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// The greatest of a block, and whether all are below infinity (which a NaN is not).
f32 block_greatest(const f32* x, u32 count, bool& good) {
  Lanes most[2] = {Lanes{} - kInfinity, Lanes{} - kInfinity};
  decltype(most[0] < most[1]) fine = most[0] == most[1];
  u32 i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes)
    for (u32 half = 0; half < 2; ++half) {
      Lanes now;
      std::memcpy(&now, x + i + half * kLanes, sizeof(now));
      most[half] = now > most[half] ? now : most[half];
      fine &= now < kInfinity;
    }
  f32 greatest = -kInfinity;
  for (u32 lane = 0; lane < kLanes; ++lane) {
    greatest = std::max({greatest, most[0][lane], most[1][lane]});
    good = good && fine[lane];
  }
  for (; i < count; ++i) {
    greatest = std::max(greatest, x[i]);
    good = good && x[i] < kInfinity;
  }
  return greatest;
}

// exp(x) of a whole block for kScoreMin <= x <= 0, to 2e-7 of the value: 2^n by the exponent's bits
// times the Taylor series of the rest, |r| <= ln(2) / 2. Our own, because a library's exp may
// differ in the last bit between machines, and with it the token that a seed draws; and it compiles
// to vectors.
void exp_block(const f32 (&x)[kBlock], f32 (&out)[kBlock]) {
  constexpr f32 kRound = 0x1.8p23f;  // adding and taking it off again rounds to a whole number
  for (u32 i = 0; i < kBlock; ++i) {
    const f32 n = (x[i] * 1.44269504f + kRound) - kRound;
    const f32 r = (x[i] - n * 0.693359375f) - n * -2.12194440e-4f;  // ln(2) in two parts
    f32 p = 1.0f / 720 + r * (1.0f / 5040);
    p = 1.0f / 24 + r * (1.0f / 120 + r * p);
    p = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * p)));
    out[i] = p * std::bit_cast<f32>((i32(n) + 127) << 23);
  }
}

}  // namespace

std::string_view name(SamplerStage stage) {
  constexpr std::string_view kNames[kSamplerStageCount] = {"raw",
                                                           "repetition_penalty",
                                                           "presence_penalty",
                                                           "frequency_penalty",
                                                           "temperature",
                                                           "top_k",
                                                           "top_p",
                                                           "min_p",
                                                           "typical_p"};
  return kNames[u8(stage)];
}

Result<Sampler> Sampler::make(const SamplerSettings& settings, u32 vocab) {
  if (vocab == 0 || vocab > u32(std::numeric_limits<i32>::max()))
    return fail("a sampler needs a vocabulary of 1 to 2147483647 tokens, not {}", vocab);
  const f32 t = settings.temperature;
  if (t != 0 && !(t >= 0.001f && t <= 100))
    return fail("temperature must be 0 (greedy) or between 0.001 and 100, not {}", t);
  const Allowed ranges[] = {{"top_p", settings.top_p, 0, 1},
                            {"min_p", settings.min_p, 0, 1},
                            {"typical_p", settings.typical_p, 0, 1},
                            {"repetition_penalty", settings.repetition_penalty, 0.01f, 100},
                            {"presence_penalty", settings.presence_penalty, -2, 2},
                            {"frequency_penalty", settings.frequency_penalty, -2, 2}};
  for (const Allowed& range : ranges)
    if (!(range.value >= range.least && range.value <= range.greatest))
      return fail("{} must be between {} and {}, not {}", range.name, range.least, range.greatest,
                  range.value);
  return Sampler(settings, vocab);
}

Sampler::Sampler(const SamplerSettings& settings, u32 vocab)
    : settings_(settings),
      random_state_(settings.seed),
      penalised_(vocab),
      reply_counts_(vocab),
      seen_(vocab),
      block_max_(divide_up(vocab, kBlock)),
      block_scratch_(block_max_.size()) {
  kept_.reserve(vocab);
  scratch_.reserve(vocab);
}

std::vector<SamplerStep> Sampler::chain() const {
  const SamplerSettings& s = settings_;
  const bool random = s.temperature != 0;
  return {{"repetition_penalty", s.repetition_penalty, s.repetition_penalty != 1},
          {"presence_penalty", s.presence_penalty, s.presence_penalty != 0},
          {"frequency_penalty", s.frequency_penalty, s.frequency_penalty != 0},
          {"temperature", s.temperature, s.temperature != 1},
          {"top_k", f64(s.top_k), random && s.top_k != 0},
          {"top_p", s.top_p, random && s.top_p < 1},
          {"min_p", s.min_p, random && s.min_p > 0},
          {"typical_p", s.typical_p, random && s.typical_p < 1}};
}

Result<i32> Sampler::sample(std::span<const f32> logits, std::span<const i32> history,
                            u64 prompt_count) {
  if (logits.size() != penalised_.size())
    return fail("the sampler was made for {} logits, not {}", penalised_.size(), logits.size());
  kept_.clear();
  if (record_) note_begin(logits);
  logits = penalise(logits, history, prompt_count);
  TRY(const f32 greatest, scan(logits));
  if (settings_.temperature == 0) {
    kept_.push_back({first_of(logits, greatest), 0, 1});
    if (record_) note_stage(SamplerStage::kTemperature, 0);
    if (record_) note_draw(std::numeric_limits<f64>::quiet_NaN(), kept_[0].id);
    return kept_[0].id;
  }
  // The whole list is longer than what top-k gathers, so whoever watches pays for the mass of it.
  whole_mass_ = record_ ? mass_of(logits, greatest) : 0;
  gather(logits, greatest);
  if (record_ && settings_.top_k != 0) note_stage(SamplerStage::kTopK, settings_.top_k);
  if (settings_.top_p < 1) keep_mass(settings_.top_p, {});
  if (record_ && settings_.top_p < 1) note_stage(SamplerStage::kTopP, settings_.top_p);
  if (settings_.min_p > 0) keep_min_p();
  if (record_ && settings_.min_p > 0) note_stage(SamplerStage::kMinP, settings_.min_p);
  if (settings_.typical_p < 1) keep_typical();
  if (record_ && settings_.typical_p < 1) note_stage(SamplerStage::kTypicalP, settings_.typical_p);
  return draw();
}

std::span<const f32> Sampler::penalise(std::span<const f32> logits, std::span<const i32> history,
                                       u64 prompt_count) {
  const SamplerSettings& s = settings_;
  if (s.repetition_penalty == 1 && s.presence_penalty == 0 && s.frequency_penalty == 0)
    return logits;
  std::copy(logits.begin(), logits.end(), penalised_.begin());
  u64 begin = 0;
  if (s.penalty_window != 0 && history.size() > s.penalty_window)
    begin = history.size() - s.penalty_window;
  const auto known = [&](i32 id) { return id >= 0 && u64(id) < penalised_.size(); };
  for (u64 i = begin; i < history.size(); ++i) {
    const i32 id = history[i];
    if (!known(id)) continue;
    f32& logit = penalised_[id];
    if (!seen_[id]) logit = logit < 0 ? logit * s.repetition_penalty : logit / s.repetition_penalty;
    seen_[id] = 1;
    if (i >= prompt_count) ++reply_counts_[id];
  }
  for (const i32 id : history.subspan(begin)) {
    if (!known(id)) continue;
    if (reply_counts_[id] != 0)
      penalised_[id] -= s.presence_penalty + s.frequency_penalty * f32(reply_counts_[id]);
    reply_counts_[id] = seen_[id] = 0;
  }
  return penalised_;
}

Result<f32> Sampler::scan(std::span<const f32> logits) {
  bool good = true;
  for (u64 block = 0; block < block_max_.size(); ++block) {
    const u64 begin = block * kBlock;
    const u32 count = u32(std::min<u64>(kBlock, logits.size() - begin));
    block_max_[block] = block_greatest(logits.data() + begin, count, good);
  }
  if (!good) return fail("the model's logits are not numbers (NaN or infinite)");
  const f32 greatest = *std::max_element(block_max_.begin(), block_max_.end());
  if (greatest == -kInfinity) return fail("no token is possible: every logit is -infinity");
  return greatest;
}

i32 Sampler::first_of(std::span<const f32> logits, f32 value) const {
  const auto block = std::find(block_max_.begin(), block_max_.end(), value) - block_max_.begin();
  return i32(std::find(logits.begin() + block * kBlock, logits.end(), value) - logits.begin());
}

// Makes the list: all entries that can be drawn at all, or with top-k those that may be among the
// best k. As many blocks as k have a maximum of at least the k-th greatest maximum, so at least k
// logits do.
void Sampler::gather(std::span<const f32> logits, f32 greatest) {
  f32 least = -kInfinity;
  if (const u32 k = settings_.top_k; k != 0 && k <= block_max_.size()) {
    std::copy(block_max_.begin(), block_max_.end(), block_scratch_.begin());
    const auto kth = block_scratch_.begin() + (k - 1);
    std::nth_element(block_scratch_.begin(), kth, block_scratch_.end(), std::greater<>());
    least = *kth;
  }
  const f32 factor = 1 / settings_.temperature;
  for (u64 block = 0; block < block_max_.size(); ++block) {
    if (block_max_[block] < least) continue;
    const u64 begin = block * kBlock, count = std::min<u64>(kBlock, logits.size() - begin);
    f32 scores[kBlock] = {}, clamped[kBlock], weights[kBlock];
    for (u64 i = 0; i < count; ++i) scores[i] = (logits[begin + i] - greatest) * factor;
    for (u64 i = 0; i < kBlock; ++i) clamped[i] = scores[i] > kScoreMin ? scores[i] : kScoreMin;
    exp_block(clamped, weights);
    for (u64 i = 0; i < count; ++i)
      if (logits[begin + i] >= least && scores[i] >= kScoreMin)
        kept_.push_back({i32(begin + i), scores[i], weights[i]});
  }
  if (settings_.top_k != 0 && kept_.size() > settings_.top_k) keep_top_k();
}

// The weights of all tokens together, as the chain would have them without top-k: for a record.
f64 Sampler::mass_of(std::span<const f32> logits, f32 greatest) const {
  if (settings_.top_k == 0) return 0;  // then the list that is gathered is the whole one
  const f32 factor = 1 / settings_.temperature;
  f64 sum = 0;
  for (u64 begin = 0; begin < logits.size(); begin += kBlock) {
    const u64 count = std::min<u64>(kBlock, logits.size() - begin);
    f32 scores[kBlock], weights[kBlock];
    std::fill_n(scores, kBlock, kScoreMin);
    for (u64 i = 0; i < count; ++i)
      scores[i] = std::max((logits[begin + i] - greatest) * factor, kScoreMin);
    exp_block(scores, weights);
    Lanes block = {};
    for (u32 i = 0; i < kBlock; i += kLanes) {
      Lanes four;
      std::memcpy(&four, weights + i, sizeof(four));
      block += four;
    }
    sum += (f64(block[0]) + block[1]) + (f64(block[2]) + block[3]);
  }
  return sum;
}

void Sampler::keep_top_k() {
  scratch_.assign(kept_.begin(), kept_.end());
  const auto last = scratch_.begin() + (settings_.top_k - 1);
  std::nth_element(scratch_.begin(), last, scratch_.end(), Distance());
  std::erase_if(kept_, [&](const Entry& entry) { return Distance()(*last, entry); });
}

f32 Sampler::Distance::of(const Entry& entry) const {
  return typical ? std::abs(entry.score - mean) : -entry.score;
}

bool Sampler::Distance::operator()(const Entry& a, const Entry& b) const {
  const f32 of_a = of(a), of_b = of(b);
  return of_a < of_b || (of_a == of_b && a.id < b.id);
}

// Keeps the fewest entries, nearest first, whose mass is at least this share of all, and one at
// least.
void Sampler::keep_mass(f64 share, Distance distance) {
  const f64 all = mass(kept_), wanted = share * all;
  scratch_.assign(kept_.begin(), kept_.end());
  if (!distance.typical) {
    // Together, entries below this weight have less than half of what top-p leaves out, so the
    // border lies above them.
    const f64 least = 0.5 * (1 - share) * all / f64(kept_.size());
    std::erase_if(scratch_, [&](const Entry& entry) { return entry.weight < least; });
  }
  if (scratch_.empty()) return;
  // Selection by weight: halve the range that the border is in, by the mass of its nearer half.
  auto begin = scratch_.begin(), end = scratch_.end();
  for (f64 before = 0; end - begin > 1;) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, distance);
    const f64 nearer = mass({begin, middle});
    if (before + nearer >= wanted) {
      end = middle;
    } else {
      before += nearer;
      begin = middle;
    }
  }
  const Entry last = *begin;
  std::erase_if(kept_, [&](const Entry& entry) { return distance(last, entry); });
}

void Sampler::keep_min_p() {
  // The best entry's weight is 1: no step before this one drops it.
  std::erase_if(kept_, [&](const Entry& entry) { return entry.weight < settings_.min_p; });
}

// The distance of a token's information from the entropy, |-log p - H|, is |score - mean score|:
// the logarithm of the mass stands in both and falls out.
void Sampler::keep_typical() {
  f64 weighted = 0;
  for (const Entry& entry : kept_) weighted += f64(entry.weight) * entry.score;
  keep_mass(settings_.typical_p, {true, f32(weighted / mass(kept_))});
}

// In four sums, because additions that wait for each other are most of the work.
f64 Sampler::mass(std::span<const Entry> entries) {
  f64 sums[4] = {};
  u64 i = 0;
  for (; i + 4 <= entries.size(); i += 4)
    for (u64 j = 0; j < 4; ++j) sums[j] += entries[i + j].weight;
  for (; i < entries.size(); ++i) sums[0] += entries[i].weight;
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

i32 Sampler::draw() {
  const f64 fresh = f64(next_random(random_state_) >> 11) * 0x1p-53;  // [0, 1)
  const f64 uniform = fixed_uniform_.value_or(fresh);
  f64 left = uniform * mass(kept_);
  i32 id = kept_.back().id;  // the rounding of the sum can leave a crumb
  for (const Entry& entry : kept_) {
    left -= entry.weight;
    if (left >= 0) continue;
    id = entry.id;
    break;
  }
  if (record_) note_draw(uniform, id);
  return id;
}

u32 Sampler::candidates(std::span<Candidate> out) {
  const u64 count = std::min<u64>(out.size(), kept_.size());
  const f64 all = mass(kept_);
  scratch_.assign(kept_.begin(), kept_.end());
  std::partial_sort(scratch_.begin(), scratch_.begin() + i64(count), scratch_.end(), Distance());
  for (u64 i = 0; i < count; ++i) out[i] = {scratch_[i].id, f32(f64(scratch_[i].weight) / all)};
  return u32(count);
}

}  // namespace orrery::forward
