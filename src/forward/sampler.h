// Sampler: from the logits of one position to the next token, by a chain of steps that can be
// listed.
//
// The steps and their order are those of transformers' generate() (LogitsProcessor classes), with
// the presence and frequency penalties of OpenAI's API, which count the reply only. One rule for
// ties everywhere: the smaller id is the better one, so each step keeps exactly one set
// (transformers keeps all that tie at the border of top-k and typical).
//
// No full sort of the vocabulary: maxima of blocks of logits bound what can be among the k best,
// and a mass is cut out of the few that can matter. Nothing is allocated after make(). Deliberately
// not here: stop rules, grammars, logit bias, batches.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::forward {

// Every default is neutral but the temperature's: 0.8 is what chat programs commonly start with.
struct SamplerSettings {
  f32 temperature =
      0.8f;           // 0: greedy, the steps below it are skipped. Else 0.001 to 100; 1 neutral
  u32 top_k = 0;      // keep the k best; 0: all
  f32 top_p = 1;      // keep the fewest best with this mass, 0 to 1. Holtzman et al. 2020
  f32 min_p = 0;      // keep what has this share of the best one's probability. Nguyen et al. 2024
  f32 typical_p = 1;  // keep the most typical with this mass. Meister et al. 2022
  // Logits of tokens in prompt or reply: positive ones divided, others multiplied. Keskar et al.
  // 2019
  f32 repetition_penalty = 1;  // 0.01 to 100
  f32 presence_penalty = 0;    // taken off the logits of tokens in the reply, -2 to 2
  f32 frequency_penalty = 0;   // the same, times how often they are there
  u32 penalty_window = 0;      // how many of the last tokens the penalties look at; 0: all
  u64 seed = 0;
};

// A step of the chain as a person sees it. Inactive: its value is neutral or greedy makes it moot.
struct SamplerStep {
  std::string_view name;
  f64 value;
  bool active;
};

// What a sample() did, for those who watch: filled when a record is given to Sampler::record().
enum class SamplerStage : u8 {
  kRaw,
  kRepetitionPenalty,
  kPresencePenalty,
  kFrequencyPenalty,
  kTemperature,
  kTopK,
  kTopP,
  kMinP,
  kTypicalP
};
inline constexpr u32 kSamplerStageCount = 9;
[[nodiscard]] std::string_view name(SamplerStage stage);  // "raw", "repetition_penalty", ...
inline constexpr u32 kDroppedNever = ~u32(0);

struct SamplerRecord {
  struct Stage {
    SamplerStage stage;
    u32 survivors;
    f32 mass;   // of the probability after penalties and temperature, what is still there
    f32 value;  // the stage's setting
  };
  struct Watched {
    i32 id = 0;
    f32 probability = 0;             // after the chain
    f64 bar_begin = 0;               // where its part of the bar begins; the bar is in order of ids
    u32 dropped_by = kDroppedNever;  // index into stages
  };
  std::vector<Watched> watched;    // the caller fills in the ids, the sampler the rest
  std::vector<Stage> stages;       // those that were active, in order, after kRaw
  f64 uniform = 0;                 // the number drawn from [0, 1); NaN: greedy
  f64 bar_begin = 0, bar_end = 1;  // of the token that it fell on
  f32 probability = 1;             // of that token, after the chain
};

struct Candidate {
  i32 id;
  f32 probability;  // after the chain; all candidates' sum to 1
};

class Sampler {
 public:
  // Refuses values outside the ranges above, naming the range. Buffers are sized for `vocab`
  // logits.
  [[nodiscard]] static Result<Sampler> make(const SamplerSettings& settings, u32 vocab);

  [[nodiscard]] const SamplerSettings& settings() const { return settings_; }
  [[nodiscard]] std::vector<SamplerStep> chain() const;  // in the order in which they run

  // The next token. `logits` [vocab], `history` the sequence so far, of which the first
  // `prompt_count` tokens are the prompt; ids outside of the vocabulary are not penalised.
  // Not greedy: takes exactly one draw from the seed's stream, so that a reply is a function of
  // seed and logits. NaN or +inf among the logits, or no finite one, is an error and takes no draw.
  [[nodiscard]] Result<i32> sample(std::span<const f32> logits, std::span<const i32> history,
                                   u64 prompt_count = 0);

  // From now on each sample() tells here what it did; null: nobody watches. Changes no choice.
  void record(SamplerRecord* record) { record_ = record; }
  // Makes every draw give this number instead of one from the seed's stream (to try a chain again).
  void fix_uniform(f64 uniform) { fixed_uniform_ = uniform; }

  // What the chain left in the last sample(): fills `out` with the best, best first, and returns
  // how many it filled. Greedy leaves one.
  [[nodiscard]] u32 candidates(std::span<Candidate> out);
  [[nodiscard]] u32 candidates_count() const { return u32(kept_.size()); }

 private:
  struct Entry {
    i32 id;
    f32 score;   // (logit - greatest logit) / temperature
    f32 weight;  // exp(score)
  };
  // Which of two entries a step keeps first, the same rule in all: smaller distance, smaller id.
  struct Distance {
    bool typical = false;
    f32 mean = 0;  // of the scores, for typical
    [[nodiscard]] f32 of(const Entry& entry) const;
    [[nodiscard]] bool operator()(const Entry& a, const Entry& b) const;
  };

  Sampler(const SamplerSettings& settings, u32 vocab);

  [[nodiscard]] std::span<const f32> penalise(std::span<const f32> logits,
                                              std::span<const i32> history, u64 prompt_count);
  [[nodiscard]] f64 mass_of(std::span<const f32> logits, f32 greatest) const;
  [[nodiscard]] Result<f32> scan(std::span<const f32> logits);
  [[nodiscard]] i32 first_of(std::span<const f32> logits, f32 value) const;
  void gather(std::span<const f32> logits, f32 greatest);
  void keep_top_k();
  void keep_mass(f64 share, Distance distance);
  void keep_min_p();
  void keep_typical();
  [[nodiscard]] static f64 mass(std::span<const Entry> entries);
  [[nodiscard]] i32 draw();
  void note_begin(std::span<const f32> logits);
  void note_stage(SamplerStage stage, f64 value);
  void note_draw(f64 uniform, i32 id);

  SamplerSettings settings_;
  u64 random_state_;
  std::vector<f32> penalised_;      // [vocab]
  std::vector<u32> reply_counts_;   // [vocab], zero between calls
  std::vector<u8> seen_;            // [vocab], zero between calls
  std::vector<f32> block_max_;      // [blocks] of this call's logits
  std::vector<f32> block_scratch_;  // [blocks]
  std::vector<Entry> kept_;         // what the chain has left so far, in order of id
  std::vector<Entry> scratch_;      // a copy that selection may reorder
  SamplerRecord* record_ = nullptr;
  f64 whole_mass_ = 0;  // of the record: before the first stage that drops
  std::optional<f64> fixed_uniform_;
};

}  // namespace orrery::forward
