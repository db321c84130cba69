// Engine::generate: the loop of a reply: feed, sample, detokenize, stop.
//
// Stop texts are looked for in the text as it grows; characters that could still become the
// beginning of one are held back, so that a caller never sees a part of a stop text.
#include <algorithm>
#include <chrono>

#include "engine/engine.h"
#include "text/detokenizer.h"

namespace orrery::engine {
namespace {

using Clock = std::chrono::steady_clock;

f64 seconds_since(Clock::time_point begin) {
  return std::chrono::duration<f64>(Clock::now() - begin).count();
}

// The reply's text with its stop texts.
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

}  // namespace

std::string_view name(Finish finish) {
  switch (finish) {
    case Finish::kStopToken:
      return "stop_token";
    case Finish::kStopText:
      return "stop_text";
    case Finish::kLength:
      return "length";
    case Finish::kContextFull:
      return "context_full";
    case Finish::kCancelled:
      return "cancelled";
  }
  return "";
}

Result<Reply> Engine::generate(Sequence& sequence, std::span<const text::TokenId> prompt,
                               const GenerateRequest& request, const OnToken& on_token) {
  if (prompt.empty()) return fail("the prompt is empty");
  TRY(forward::Sampler sampler, forward::Sampler::make(request.sampler, model_.spec.vocab));
  Reply reply;
  reply.timings.prompt_tokens = u32(prompt.size());
  const auto start = Clock::now();

  std::vector<text::TokenId> history(sequence.tokens());
  history.insert(history.end(), prompt.begin(), prompt.end());
  history.reserve(context_ + 1);
  text::TokenId id = 0;
  const auto choose = [&](u32, std::span<const f32> logits) -> Result<void> {
    TRY(id, sampler.sample(logits, history));
    return {};
  };
  CHECK_OK(feed(sequence, prompt, u32(prompt.size()) - 1, choose));
  reply.timings.prompt_seconds = seconds_since(start);

  std::optional<text::Detokenizer> detokenizer;
  if (tokenizer_) detokenizer.emplace(*tokenizer_);
  StopText stop_text(request.stops);
  const auto reply_start = Clock::now();
  for (;;) {
    if (!request.ignore_stop_tokens && is_stop(id)) {
      reply.finish = Finish::kStopToken;
      break;
    }
    reply.tokens.push_back(id);
    history.push_back(id);
    const std::string text = stop_text.push(detokenizer ? detokenizer->push(id) : std::string());
    reply.text += text;
    if (on_token && !on_token(text, id)) {
      reply.finish = Finish::kCancelled;
      break;
    }
    if (stop_text.found()) {
      reply.finish = Finish::kStopText;
      break;
    }
    if (request.tokens_max && reply.tokens.size() >= request.tokens_max) {
      reply.finish = Finish::kLength;
      break;
    }
    if (sequence.length() >= context_) {
      reply.finish = Finish::kContextFull;
      break;
    }
    const text::TokenId last = id;
    CHECK_OK(feed(sequence, {&last, 1}, 0, choose));
  }
  reply.timings.reply_seconds = seconds_since(reply_start);
  reply.timings.reply_tokens = u32(reply.tokens.size());
  std::string rest = detokenizer && !stop_text.found() ? stop_text.push(detokenizer->finish()) : "";
  rest += stop_text.finish();
  if (!rest.empty()) {
    reply.text += rest;
    if (on_token) (void)on_token(rest, reply.tokens.back());
  }
  return reply;
}

}  // namespace orrery::engine
