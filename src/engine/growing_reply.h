// GrowingReply: a reply while it is made: what was said so far, the sampler, the text with its stop
// texts. Whoever feeds the model (one sequence or many) hands it logits and takes its tokens.
#pragma once

#include <algorithm>

#include "engine/engine.h"
#include "text/detokenizer.h"

namespace orrery::engine {

// The reply's text with its stop texts, which are looked for as it grows; characters that could
// still become the beginning of one are held back, so that a caller never sees a part of one.
class StopText {
 public:
  explicit StopText(std::span<const std::string> stops) : stops_(stops) {}

  // Takes new text, returns what may be shown now; found() tells whether a stop text has come.
  std::string push(std::string_view piece) {
    held_ += piece;
    std::size_t at = std::string::npos;
    for (const std::string& stop : stops_)
      if (!stop.empty()) at = std::min(at, held_.find(stop));
    if (at != std::string::npos) {
      found_ = true;
      return take(at);
    }
    return take(held_.size() - open_suffix());
  }
  std::string finish() { return found_ ? std::string() : take(held_.size()); }
  [[nodiscard]] bool found() const { return found_; }

 private:
  std::string take(std::size_t bytes) {
    std::string out = held_.substr(0, bytes);
    held_.erase(0, bytes);
    return out;
  }
  // Length of the longest end of the text that begins a stop text.
  [[nodiscard]] std::size_t open_suffix() const {
    std::size_t longest = 0;
    for (const std::string& stop : stops_)
      for (std::size_t n = std::min(stop.size(), held_.size()); n > longest; --n)
        if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) longest = n;
    return longest;
  }
  std::span<const std::string> stops_;
  std::string held_;
  bool found_ = false;
};

class GrowingReply {
 public:
  // `history`: all tokens before the reply, for penalties. `request` must outlive it.
  [[nodiscard]] static Result<GrowingReply> make(const Engine& engine,
                                                 const GenerateRequest& request,
                                                 std::vector<text::TokenId> history);

  // Draws the next token.
  [[nodiscard]] Result<void> choose(std::span<const f32> logits);
  [[nodiscard]] text::TokenId chosen() const { return chosen_; }
  // All tokens: those before the reply, and the reply's so far.
  [[nodiscard]] const std::vector<text::TokenId>& history() const { return history_; }
  // Takes the chosen token into the reply, or sees that it ends there: then false. `length`: tokens
  // of the sequence that are in the cache.
  [[nodiscard]] bool take(u32 length, const OnToken& on_token);
  [[nodiscard]] Finish ended() const { return reply_.finish; }  // why take() said false
  // What was held back, and the reply.
  [[nodiscard]] Reply finish(const OnToken& on_token);

 private:
  GrowingReply(const Engine& engine, const GenerateRequest& request, forward::Sampler sampler,
               std::vector<text::TokenId> history);

  const Engine* engine_;
  const GenerateRequest* request_;
  forward::Sampler sampler_;
  std::vector<text::TokenId> history_;
  u64 prompt_count_;  // of the history; the presence and frequency penalties count the reply only
  std::optional<text::Detokenizer> detokenizer_;
  StopText stop_text_;
  text::TokenId chosen_ = 0;
  Reply reply_;
};

}  // namespace orrery::engine
