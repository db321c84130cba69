#include "engine/live_request.h"

#include "forward/log_softmax.h"

namespace orrery::engine {
namespace {

f64 seconds_between(LiveRequest::Clock::time_point begin, LiveRequest::Clock::time_point end) {
  return std::chrono::duration<f64>(end - begin).count();
}

// Fills in what the raw logits say about `event.id` and about the best.
void add_logprobs(std::span<const f32> logits, u32 best_count, TokenEvent& event) {
  const f64 sum = forward::log_sum_exp(logits);
  event.logprob = f32(f64(logits[u32(event.id)]) - sum);
  forward::TokenLogProbability best[kLogprobsMax];
  const u32 count = forward::log_softmax_top(logits, {best, best_count});
  for (u32 i = 0; i < count; ++i) event.best.push_back({best[i].id, best[i].log_probability});
}

}  // namespace

LiveRequest::LiveRequest(u64 ticket, Submission submission, std::shared_ptr<Listener> listener)
    : ticket_(ticket), submission_(std::move(submission)), listener_(std::move(listener)) {
  usage.prompt = u32(submission_.prompt.size());
}

Result<void> LiveRequest::prepare(const Engine& engine) {
  if (growing_) return {};
  TRY(growing_, GrowingReply::make(engine, submission_.generate, submission_.prompt));
  if (submission_.prompt_logprobs) {
    prompt_events_.resize(submission_.prompt.size());
    for (u64 i = 0; i < prompt_events_.size(); ++i) prompt_events_[i].id = submission_.prompt[i];
  }
  return {};
}

void LiveRequest::tell_hidden(Engine& engine, u32 index, u32 position) {
  if (!submission_.hidden || position >= submission_.prompt.size()) return;
  if (position < hidden_told_) return;
  hidden_told_ = position + 1;
  std::vector<f32> state(engine.model().spec.dim);
  engine.final_hidden(index, state);
  listener_->on_hidden(position, state);
}

void LiveRequest::read_prompt_logits(u32 position, std::span<const f32> logits) {
  if (position + 1 >= prompt_events_.size()) return;
  TokenEvent& event = prompt_events_[position + 1];
  if (!event.logprob) add_logprobs(logits, *submission_.prompt_logprobs, event);
}

void LiveRequest::choose(std::span<f32> logits, std::vector<u32>& mask) {
  if (auto chosen = choose_unchecked(logits, mask); !chosen) error_ = chosen.error();
}

Result<void> LiveRequest::choose_unchecked(std::span<f32> logits, std::vector<u32>& mask) {
  // Raw log probabilities need the token that is only known later, so a copy of its logit is not
  // enough: the sum is taken now, the token's own is filled in below.
  const f64 sum = submission_.logprobs ? forward::log_sum_exp(logits) : 0;
  event_ = {};
  if (submission_.logprobs) {
    forward::TokenLogProbability best[kLogprobsMax];
    const u32 count = forward::log_softmax_top(logits, {best, *submission_.logprobs});
    for (u32 i = 0; i < count; ++i) event_.best.push_back({best[i].id, best[i].log_probability});
  }
  std::vector<std::pair<text::TokenId, f32>> raw;  // the logits that a bias changes
  for (const auto& [id, bias] : submission_.logit_bias) {
    raw.emplace_back(id, logits[u32(id)]);
    logits[u32(id)] += bias;
  }
  (void)mask;
  CHECK_OK(growing_->choose(logits));
  event_.id = growing_->chosen();
  if (submission_.logprobs) {
    f32 logit = logits[u32(event_.id)];
    for (const auto& [id, before] : raw)
      if (id == event_.id) {
        logit = before;
        break;
      }
    event_.logprob = f32(f64(logit) - sum);
  }
  return {};
}

bool LiveRequest::tell(u32 computed) {
  if (first_token_ == Clock::time_point()) tell_prompt();
  if (error_) {
    end(Finish::kError, std::move(error_));
    return false;
  }
  const auto now = Clock::now();
  bool told = false;
  const bool goes_on = growing_->take(computed, [&](std::string_view text, text::TokenId) {
    event_.text = text;
    told = true;
    return true;
  });
  if (first_token_ == Clock::time_point())
    first_token_ = now;
  else
    timings.decode_gap_max = std::max(timings.decode_gap_max, seconds_between(last_token_, now));
  last_token_ = now;
  if (told) {
    ++usage.completion;
    listener_->on_token(event_);
  }
  if (!goes_on) end(growing_->ended());
  return goes_on;
}

void LiveRequest::tell_prompt() {
  if (!prompt_events_.empty()) listener_->on_prompt(prompt_events_);
  prompt_events_.clear();
}

void LiveRequest::end_prompt() {
  tell_prompt();
  first_token_ = Clock::now();
  end(Finish::kLength);
}

void LiveRequest::note_started(Clock::time_point now) {
  if (started_ == Clock::time_point()) started_ = now;
}

void LiveRequest::end(Finish finish, std::optional<Error> error) {
  if (finish_) return;
  finish_ = finish;
  const auto now = Clock::now();
  const bool has_started = started_ != Clock::time_point();
  const bool has_token = first_token_ != Clock::time_point();
  timings.queue = seconds_between(submitted_, has_started ? started_ : now);
  if (has_started) timings.prefill = seconds_between(started_, has_token ? first_token_ : now);
  if (has_token) timings.decode = seconds_between(first_token_, now);
  Outcome outcome{.finish = finish,
                  .rest = {},
                  .usage = usage,
                  .timings = timings,
                  .why = std::nullopt,
                  .error = std::move(error)};
  if (growing_ && usage.completion > 0)
    (void)growing_->finish([&](std::string_view text, text::TokenId) {
      outcome.rest = text;
      return true;
    });
  if (submission_.why) outcome.why = std::move(why);
  listener_->on_end(outcome);
  listener_.reset();
}

}  // namespace orrery::engine
