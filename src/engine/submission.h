// What goes into the scheduler and what comes out of it: a Submission, its events, its Outcome.
//
// Nothing here knows HTTP: a submission has tokens, not messages, and whoever submits has checked
// and rendered what came from outside. Its own numbers are checked again when it is submitted.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace orrery::engine {

// What a grammar says about the next token. Calls for one reply come one after the other, not
// always from the same thread; those for different replies may come at the same time.
class TokenFilter {
 public:
  virtual ~TokenFilter() = default;
  // `mask` has a bit for each token of the vocabulary, the lowest bit of the first word for token
  // 0, all set on entry: clear those that may not come next. False: all may, the mask is ignored.
  [[nodiscard]] virtual bool restrict(std::span<u32> mask) = 0;
  // The token that came (also one that stops the reply). An error ends the request with it.
  [[nodiscard]] virtual Result<void> accept(text::TokenId id) = 0;
};

struct Submission {
  std::vector<text::TokenId> prompt;  // at least one
  GenerateRequest generate;
  std::vector<std::pair<text::TokenId, f32>> logit_bias;  // added to logits before all else
  // Log probabilities of the raw logits (before bias, grammar and sampler): of each token and of
  // this many of the best, at most kLogprobsMax. Of the reply; of the prompt (then no prefix of it
  // is taken from the cache, as all its logits are wanted).
  std::optional<u32> logprobs, prompt_logprobs;
  bool prompt_only = false;  // ends (kLength) when the prompt has been read
  bool hidden = false;       // Listener::on_hidden wants every token of the prompt; then no prefix
                             // of it is taken from the cache
  std::string owner;         // who shares cached prefixes and a fair share of the steps
  i32 priority = 0;          // greater comes first
  std::optional<f64> deadline_seconds;  // from now; ends with kDeadline when it has passed
  std::shared_ptr<TokenFilter> filter;  // or null
  bool why = false;                     // whether Outcome::why is wanted
};
inline constexpr u32 kLogprobsMax = 100;  // as many as any API that we serve allows, and bounded

struct TopLogprob {
  text::TokenId id;
  f32 logprob;
};

// A token of the reply (not the one that stopped it), or of the prompt in on_prompt().
struct TokenEvent {
  text::TokenId id = 0;
  std::string text;              // whole characters, stop texts left out; may be empty
  std::optional<f32> logprob;    // where asked for; the first token of a prompt has none
  std::vector<TopLogprob> best;  // best first
};

struct Usage {
  u32 prompt = 0;      // tokens
  u32 cached = 0;      // those of the prompt that were not computed for this request
  u32 completion = 0;  // tokens of the reply
};

// Seconds of a request's life. They overlap with other requests' but not with each other.
struct PhaseTimings {
  f64 queue = 0;           // until its first token was computed
  f64 prefill = 0;         // from there to the first token of the reply
  f64 decode = 0;          // from there to the end
  f64 mask = 0;            // spent in its TokenFilter
  f64 decode_gap_max = 0;  // longest wait between two tokens of the reply
};

struct ChunkRun {
  u32 begin, count;  // positions that were computed in one step
  u32 batch_tokens;  // tokens of the whole step, and of how many requests
  u32 batch_requests;
  f64 seconds;
};

// Why a request took as long as it did.
struct Why {
  u32 parted_at = 0;  // tokens of the prompt that the cache knew, whether or not they were used
  // Around the place where the prompt and the nearest cached text part: what both have before it,
  // and how each goes on. Empty when nothing was cached.
  std::string parted_before, parted_here, parted_cached;
  std::vector<ChunkRun> chunks;  // of the prompt, the first kWhyChunksMax
  u32 chunks_count = 0;
  u32 preemptions = 0;
  u32 recomputed = 0;  // tokens that were computed more than once
};
inline constexpr u32 kWhyChunksMax = 256;

struct Outcome {
  Finish finish = Finish::kCancelled;
  std::string rest;  // text that follows the last event's: held back as a stop text's beginning
  Usage usage;
  PhaseTimings timings;
  std::optional<Why> why;
  std::optional<Error> error;  // then `finish` is kError
};

// Called on the scheduler's thread: must not block, must not call the scheduler back except
// cancel() and submit(). on_end comes exactly once for each accepted submission, whatever happens,
// and nothing comes after it.
class Listener {
 public:
  virtual ~Listener() = default;
  // Once, before the first token of the reply, if prompt_logprobs were asked for.
  virtual void on_prompt(std::span<const TokenEvent> prompt) { (void)prompt; }
  // Of each token of the prompt, in order, if `hidden` was asked for: what the output matrix would
  // read [dim].
  virtual void on_hidden(u32 position, std::span<const f32> state) { (void)position, (void)state; }
  virtual void on_token(const TokenEvent& event) = 0;
  virtual void on_end(const Outcome& outcome) = 0;
};

}  // namespace orrery::engine
