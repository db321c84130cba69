// Engine: a loaded model that answers. It opens a checkpoint, binds its weights, and runs
// sequences.
//
// One Engine, one thread team, one KV cache. Sequences are cheap handles into it; calls are made
// from one thread at a time (the server puts a scheduler in front).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/progress.h"
#include "base/thread_team.h"
#include "checkpoint/checkpoint.h"
#include "engine/packs.h"
#include "forward/forward.h"
#include "forward/sampler.h"
#include "kernels/kernels.h"
#include "model/weights.h"
#include "plan/host.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace orrery::engine {

struct EngineOptions {
  u32 threads = 0;                                     // 0: as many as the host can use well
  bool exact = false;                                  // float32 weights, arithmetic and KV
  std::optional<kernels::KvFormat> kv = std::nullopt;  // default: f16, in exact mode f32
  // Float weights are rounded to it while they are loaded; no part of exact mode.
  std::optional<Format> weights = std::nullopt;
  u32 context = 0;     // positions of a sequence; 0: the model's, at most kContextDefault
  u32 chunk = 512;     // tokens of a prompt that are computed together; no part of any result
  u32 logit_rows = 1;  // logits that one pass can give (for score())
  u32 sequences = 1;
  u32 states_kept = 0;     // copies of a sequence's states, of models that have them (Scheduler)
  PackOptions packs = {};  // packed weights kept on disk; without a folder: none
  Progress* progress = nullptr;
};
inline constexpr u32 kContextDefault = 8192;

// Seconds of the steps from opening a file to the first token, and of a reply.
struct LoadTimings {
  f64 open = 0, text = 0, weights = 0;
};
struct Timings {
  u32 prompt_tokens = 0, reply_tokens = 0;
  f64 prompt_seconds = 0;  // until the first token is chosen
  f64 reply_seconds = 0;   // from the first token to the last
};

struct GenerateRequest {
  forward::SamplerSettings sampler;
  u32 tokens_max = 0;              // 0: until the context is full
  std::vector<std::string> stops;  // texts that end the reply; they are not part of it
  bool ignore_stop_tokens = false;
};

struct BatchRequest {
  std::vector<text::TokenId> prompt;
  GenerateRequest request;
};

enum class Finish : u8 {
  kStopToken,
  kStopText,
  kLength,
  kContextFull,
  kCancelled,
  kDeadline,  // the time that it was given is over
  kError
};
inline constexpr u32 kFinishCount = 7;
[[nodiscard]] std::string_view name(Finish finish);

struct Reply {
  std::vector<text::TokenId> tokens;  // without the token that stopped it
  std::string text;                   // special tokens left out
  Finish finish = Finish::kLength;
  Timings timings;
};

// What a reply tells as it grows: `text` are whole characters (may be empty), `id` the newest
// token. Returns false to stop.
using OnToken = std::function<bool(std::string_view text, text::TokenId id)>;

// Settings that describe the model (not the file, not its tokenizer) and that nobody has read so
// far.
[[nodiscard]] std::vector<std::string> unread_settings(const checkpoint::Checkpoint& checkpoint);

class Engine;

// One conversation or text in the cache.
class Sequence {
 public:
  Sequence(Sequence&& other) noexcept;
  Sequence& operator=(Sequence&&) = delete;
  ~Sequence();

  [[nodiscard]] u32 length() const { return u32(tokens_.size()); }
  [[nodiscard]] const std::vector<text::TokenId>& tokens() const { return tokens_; }
  // Keeps the first `length` positions, or none where the model has states, which know no way back:
  // length() says what is left.
  void truncate(u32 length);

 private:
  friend class Engine;
  Sequence(Engine& engine, u32 number) : engine_(&engine), number_(number) {}
  Engine* engine_;
  u32 number_;
  std::vector<text::TokenId> tokens_;  // whose keys and values are in the cache
};

class Engine {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Engine>> open(const std::filesystem::path& path,
                                                            const EngineOptions& options);

  [[nodiscard]] const model::Model& model() const { return model_; }
  [[nodiscard]] const checkpoint::Checkpoint& checkpoint() const { return *checkpoint_; }
  [[nodiscard]] const kernels::Kernels& kernels() const { return kernels_; }
  [[nodiscard]] const plan::Host& host() const { return host_; }
  [[nodiscard]] ThreadTeam& team() { return *team_; }
  [[nodiscard]] u32 thread_count() const { return team_->size(); }
  [[nodiscard]] u32 context() const { return context_; }  // positions of a sequence
  [[nodiscard]] bool is_stop(text::TokenId id) const;     // whether it ends a reply
  [[nodiscard]] const LoadTimings& load_timings() const { return load_timings_; }
  [[nodiscard]] bool from_pack() const { return !model_.pack.bytes().empty(); }
  [[nodiscard]] Packs& packs() { return packs_; }
  // Of everything that keys and values of the same tokens depend on: the files' state, how they
  // are bound, the format of the cache, the rung. Empty where the files' state cannot be read.
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] u64 kv_bytes() const;  // of the whole cache
  [[nodiscard]] kernels::KvFormat kv_format() const { return cache_.format(); }
  [[nodiscard]] u64 scratch_bytes() const { return scratch_.size_bytes(); }
  // Null where the checkpoint has none, or one that we cannot read; why_no_* says why.
  [[nodiscard]] const text::Tokenizer* tokenizer() const { return tokenizer_.get(); }
  [[nodiscard]] const text::ChatTemplate* chat_template() const {
    return chat_template_ ? &*chat_template_ : nullptr;
  }
  [[nodiscard]] const std::string& why_no_tokenizer() const { return why_no_tokenizer_; }
  [[nodiscard]] const std::string& why_no_chat_template() const { return why_no_chat_template_; }
  // Settings of the checkpoint that nobody read.
  [[nodiscard]] std::vector<std::string> unread_settings() const {
    return engine::unread_settings(*checkpoint_);
  }

  [[nodiscard]] Result<Sequence> start();

  // Continues a sequence by `prompt` (at least one token) and generates. The reply's tokens are in
  // the cache afterwards, but for the last.
  [[nodiscard]] Result<Reply> generate(Sequence& sequence, std::span<const text::TokenId> prompt,
                                       const GenerateRequest& request, const OnToken& on_token);

  // Many requests, as many at a time as the engine has sequences and logit rows for; each reply is
  // handed out when it ends, with the number of its request. Each is the reply that generate()
  // would give.
  using OnReply = std::function<Result<void>(u32 index, Reply reply)>;
  [[nodiscard]] Result<void> generate_batch(std::span<const BatchRequest> requests,
                                            const OnReply& on_reply);

  // Feeds tokens and hands out the logits [vocab] after each of those from `first` on, in order.
  using OnLogits = std::function<Result<void>(u32 index, std::span<const f32> logits)>;
  [[nodiscard]] Result<void> score(Sequence& sequence, std::span<const text::TokenId> tokens,
                                   u32 first, const OnLogits& on_logits);

  // One token to each of several sequences, in one pass; as many logits.
  [[nodiscard]] Result<void> score_each(std::span<Sequence* const> sequences,
                                        std::span<const text::TokenId> ids,
                                        const OnLogits& on_logits);

  // One pass over any batch, for benches and tests; the logits are in scratch().
  [[nodiscard]] Result<void> pass(const forward::Batch& batch);
  // Of the last pass's token `index` of the batch: what the output matrix reads [dim].
  void final_hidden(u32 index, std::span<f32> out);
  [[nodiscard]] forward::Scratch& scratch() { return scratch_; }
  [[nodiscard]] forward::KvCache& cache() { return cache_; }
  [[nodiscard]] u32 number(const Sequence& sequence) const { return sequence.number_; }

  // Sends the events of every further pass to this tap; null: nobody watches.
  void watch(trace::TapOn* tap, trace::Subscription subscription);

 private:
  friend class Sequence;
  explicit Engine(PackOptions packs) : packs_(std::move(packs)) {}
  [[nodiscard]] Result<void> load(const model::Description& description, model::BindOptions options,
                                  model::BindPlan plan, Progress& progress);
  [[nodiscard]] Result<void> feed(Sequence& sequence, std::span<const text::TokenId> tokens,
                                  u32 logits_from, const OnLogits& on_logits);

  std::unique_ptr<checkpoint::Checkpoint> checkpoint_;
  plan::Host host_;
  kernels::Kernels kernels_;
  std::unique_ptr<ThreadTeam> team_;
  model::Model model_;
  Packs packs_;  // may still be writing what model_ holds
  forward::KvCache cache_;
  forward::Scratch scratch_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::optional<text::ChatTemplate> chat_template_;
  std::string identity_, why_no_tokenizer_, why_no_chat_template_;
  u32 context_ = 0, chunk_ = 0;
  LoadTimings load_timings_;
  std::vector<text::TokenId> stop_tokens_;
  forward::Batch batch_;  // reused, so that a step allocates nothing
  trace::TapOn* tap_ = nullptr;
  trace::Subscription subscription_;
  std::vector<trace::TapRow> tap_rows_;
  u64 step_ = 0;
};

}  // namespace orrery::engine
