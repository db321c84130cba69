// WatchedRun: a text that grows under the eyes of a viewer: prompt, reply, pause, single steps,
// branches.
//
// It makes the same passes as every other request, over a sequence of its own, one chunk or token
// at a call of advance(), so that whoever owns the engine's thread fits it between others. Its
// tokens are the same bits with and without a viewer: watching only reads. Deliberately not here:
// threads, sessions, frames.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "engine/logit_reader.h"
#include "engine/step_watcher.h"
#include "text/detokenizer.h"

namespace orrery::engine {

struct HeadRef {
  u32 layer = 0, head = 0;
};

// What a viewer wants to see as it happens.
struct WatchOptions {
  bool token = true, stat = true, row = false, top = false, route = true, route_full = false;
  bool kv = true, residual = true;
  bool route_full_on_pause = true;
  std::vector<HeadRef> pinned = {};  // for `row`
  u32 thin = 0;                      // 0 to 4: how much is left out because a viewer is slow
};

struct RunRequest {
  std::vector<text::TokenId> prompt = {};
  forward::SamplerSettings sampler = {};
  u32 tokens_max = 0;  // of the reply; 0: until the context is full
  std::vector<std::string> stops = {};
  bool ignore_stop_tokens = false, prompt_logprobs = false, paused = false;
};

enum class RunState : u8 { kQueued, kPrefill, kRunning, kPaused, kEnded };
[[nodiscard]] std::string_view name(RunState state);

// Seconds of passes and of watching, over all runs that share it; what is dear is spaced by it.
struct WatchCost {
  f64 forward = 0, observer = 0;                // since the start
  f64 recent_forward = 0, recent_observer = 0;  // fading, of decoding
  u64 tokens = 0;
  f64 prefill_seconds = 0;
  u64 prefill_tokens = 0;
  u64 thinned = 0;  // steps of which something was left out
  // Whether what costs about this many seconds may be looked at now.
  [[nodiscard]] bool affords(f64 seconds) const;
  void add(f64 forward_seconds, f64 observer_seconds);
};

class WatchedRun {
 public:
  using OnStep = std::function<void(StepSeen&& seen)>;

  WatchedRun(Engine& engine, StepWatcher& watcher, WatchCost& cost, RunRequest request);

  // Where its first `length` positions stand already, they are copied from another run.
  void start_from(const WatchedRun& parent, u32 length);

  [[nodiscard]] bool wants_to_run() const;
  // One chunk of the prompt, or one token. Errors end the run.
  void advance(const WatchOptions& options, const OnStep& on_step);
  // Everything that can be seen of the last computed token, whatever it costs: for a pause.
  void look(const WatchOptions& options, const OnStep& on_step);

  // Computes a position anew, with the same bits, so that the watcher has its attention.
  [[nodiscard]] Result<void> revisit(u32 position);

  // The token after `position` as another sampler would have drawn it, with the same number.
  [[nodiscard]] Result<SeenToken> resample(u32 position, const forward::SamplerSettings& settings);

  void pause();
  void resume(std::optional<u32> tokens_max = std::nullopt);
  void step(u32 count);
  void stop();
  // Gives its pages back; the text stays.
  void release();

  [[nodiscard]] RunState state() const { return state_; }
  [[nodiscard]] std::string_view finish() const { return finish_; }  // why it ended
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] const std::vector<text::TokenId>& tokens() const { return tokens_; }
  [[nodiscard]] u32 computed() const { return computed_; }  // positions in the cache
  [[nodiscard]] u32 prompt_count() const { return prompt_count_; }
  [[nodiscard]] bool in_cache() const { return sequence_.has_value(); }
  [[nodiscard]] u32 sequence() const { return engine_->number(*sequence_); }
  [[nodiscard]] const RunRequest& request() const { return request_; }
  [[nodiscard]] f64 prompt_seconds() const { return prompt_seconds_; }
  [[nodiscard]] f64 reply_seconds() const { return reply_seconds_; }
  [[nodiscard]] u32 reply_count() const { return reply_count_; }
  // From the first token of the reply, or of what a resume added, to the last.
  [[nodiscard]] f64 wall_seconds() const { return wall_seconds_; }

 private:
  // The next `count` tokens; logits after the last of all, or after each.
  void fill_batch(u32 count, bool all_rows);
  [[nodiscard]] Result<void> advance_checked(const WatchOptions& options, const OnStep& on_step);
  [[nodiscard]] Result<void> open();
  [[nodiscard]] PassWants wants(const WatchOptions& options, bool decoding);
  void tell_steps(const WatchOptions& options, const PassWants& pass_wants, f32 forward_ms,
                  const OnStep& on_step);
  void see_attention(const WatchOptions& options, StepSeen& seen);
  void read_prompt_logits(const forward::Batch& batch, const WatchOptions& options);
  [[nodiscard]] Result<void> choose(std::span<const f32> logits, bool watched, SeenToken& token);
  // One draw, with all that the sampler tells of it in `token`.
  [[nodiscard]] Result<void> draw(forward::Sampler& sampler, std::span<const f32> logits,
                                  std::span<const text::TokenId> history, SeenToken& token);
  void take(SeenToken token, const OnStep& on_step);
  void describe(SeenToken& token, text::TokenId id);
  // Entropy and candidates; then log probability and rank of one token among the same logits.
  void read_logits(std::span<const f32> logits, SeenToken& token);
  void place_token(std::span<const f32> logits, text::TokenId id, SeenToken& token);
  void end(std::string_view finish);

  Engine* engine_;
  StepWatcher* watcher_;
  WatchCost* cost_;
  RunRequest request_;
  std::optional<Sequence> sequence_;
  std::vector<text::TokenId> tokens_;
  u32 computed_ = 0, prompt_count_, reply_count_ = 0, steps_ = 0;
  u32 told_ = 0;    // prompt tokens whose token was told
  u32 copied_ = 0;  // positions that came from another run
  RunState state_ = RunState::kQueued;
  std::string finish_, error_;
  std::optional<forward::Sampler> sampler_;
  std::vector<f64> uniforms_;  // the number drawn for each token of the reply; NaN: greedy
  std::optional<text::Detokenizer> detokenizer_;
  std::string reply_text_;              // the end of it, in which stop texts are looked for
  std::vector<SeenToken> prompt_seen_;  // what the logits said of prompt tokens, by position
  std::vector<KvGroup> groups_;
  std::vector<StepSeen> seen_;
  LogitReader reader_;
  forward::Batch batch_;
  u32 next_layer_ = 0;             // whose statistics come next
  std::optional<u32> stat_layer_;  // of the pass that is being made
  u32 stats_since_residual_ = 0;
  f64 prompt_seconds_ = 0, reply_seconds_ = 0, wall_seconds_ = 0;
  std::chrono::steady_clock::time_point reply_begin_ = {};
  f64 stat_seconds_ = 0, residual_seconds_ = 0;     // what they cost the last time
  f64 sample_seconds_ = 0, hand_over_seconds_ = 0;  // of the last token: its draw; to the viewer
  f32 forward_ms_ = kUnknown;
};

}  // namespace orrery::engine
