// LiveRequest: a submission on its way: what is known of its text, how much of it is in the cache,
// and how it turns a row of logits into an event.
//
// It knows nothing of its batch mates. Whether a token is part of a prompt, a reply, or of a reply
// that is computed again after a preemption makes no difference: tokens that are known and not in
// the cache are fed, and after the last of them the next one is chosen.
#pragma once

#include <chrono>

#include "engine/growing_reply.h"
#include "engine/submission.h"

namespace orrery::engine {

class LiveRequest {
 public:
  using Clock = std::chrono::steady_clock;

  LiveRequest(u64 ticket, Submission submission, std::shared_ptr<Listener> listener);

  // Makes what a running request needs and a waiting one does not: sampler, text.
  [[nodiscard]] Result<void> prepare(const Engine& engine);

  [[nodiscard]] u64 ticket() const { return ticket_; }
  [[nodiscard]] const Submission& submission() const { return submission_; }
  // Prompt and reply so far.
  [[nodiscard]] const std::vector<text::TokenId>& tokens() const {
    return growing_ ? growing_->history() : submission_.prompt;
  }
  // The length of the text that is known to come, for the token at this position (BatchToken).
  [[nodiscard]] u32 length_at(u32 position) const {
    return std::max(u32(submission_.prompt.size()), position + 1);
  }

  // Tells of a prompt's token, where that was asked for; it is the batch's token `index`.
  void tell_hidden(Engine& engine, u32 index, u32 position);
  // What the logits of prompt position `position` say about the token after it.
  void read_prompt_logits(u32 position, std::span<const f32> logits);
  // Chooses the next token; may run beside those of other requests. `logits` are changed.
  void choose(std::span<f32> logits, std::vector<u32>& mask);
  // Tells what choose() found; false: the request has ended. `computed`: its tokens in the cache.
  [[nodiscard]] bool tell(u32 computed);
  // The prompt has been read and nothing else is wanted.
  void end_prompt();
  // Ends it, unless it has ended. The last call.
  void end(Finish finish, std::optional<Error> error = std::nullopt);

  void note_started(Clock::time_point now);
  [[nodiscard]] Clock::time_point submitted() const { return submitted_; }
  [[nodiscard]] Finish finish() const { return *finish_; }  // of one that has ended
  Usage usage;
  PhaseTimings timings;
  Why why;

 private:
  [[nodiscard]] Result<void> choose_unchecked(std::span<f32> logits, std::vector<u32>& mask);
  void tell_prompt();

  u64 ticket_;
  Submission submission_;
  std::shared_ptr<Listener> listener_;
  std::optional<GrowingReply> growing_;
  TokenEvent event_;
  std::vector<TokenEvent> prompt_events_;
  std::optional<Error> error_;
  std::string rest_;
  Clock::time_point submitted_ = Clock::now(), started_ = {}, first_token_ = {}, last_token_ = {};
  u32 hidden_told_ = 0;  // positions: after a preemption they are computed again, not told again
  std::optional<Finish> finish_;
};

}  // namespace orrery::engine
