#include "engine/growing_reply.h"

#include <algorithm>

namespace orrery::engine {

GrowingReply::GrowingReply(const Engine& engine, const GenerateRequest& request,
                           forward::Sampler sampler, std::vector<text::TokenId> history)
    : engine_(&engine),
      request_(&request),
      sampler_(std::move(sampler)),
      history_(std::move(history)),
      prompt_count_(history_.size()),
      stop_text_(request.stops) {
  history_.reserve(engine.context() + 1);
  if (engine.tokenizer()) detokenizer_.emplace(*engine.tokenizer());
}

Result<GrowingReply> GrowingReply::make(const Engine& engine, const GenerateRequest& request,
                                        std::vector<text::TokenId> history) {
  TRY(forward::Sampler sampler, forward::Sampler::make(request.sampler, engine.model().spec.vocab));
  return GrowingReply(engine, request, std::move(sampler), std::move(history));
}

Result<void> GrowingReply::choose(std::span<const f32> logits) {
  TRY(chosen_, sampler_.sample(logits, history_, prompt_count_));
  return {};
}

bool GrowingReply::take(u32 length, const OnToken& on_token) {
  const auto end = [&](Finish finish) {
    reply_.finish = finish;
    return false;
  };
  if (!request_->ignore_stop_tokens && engine_->is_stop(chosen_)) return end(Finish::kStopToken);
  reply_.tokens.push_back(chosen_);
  history_.push_back(chosen_);
  const std::string text =
      stop_text_.push(detokenizer_ ? detokenizer_->push(chosen_) : std::string());
  reply_.text += text;
  if (on_token && !on_token(text, chosen_)) return end(Finish::kCancelled);
  if (stop_text_.found()) return end(Finish::kStopText);
  if (request_->tokens_max && reply_.tokens.size() >= request_->tokens_max)
    return end(Finish::kLength);
  if (length >= engine_->context()) return end(Finish::kContextFull);
  return true;
}

Reply GrowingReply::finish(const OnToken& on_token) {
  std::string rest =
      detokenizer_ && !stop_text_.found() ? stop_text_.push(detokenizer_->finish()) : "";
  rest += stop_text_.finish();
  if (!rest.empty()) {
    reply_.text += rest;
    if (on_token) (void)on_token(rest, reply_.tokens.back());
  }
  reply_.timings.reply_tokens = u32(reply_.tokens.size());
  return std::move(reply_);
}

}  // namespace orrery::engine
