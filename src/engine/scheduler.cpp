#include "engine/scheduler.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "engine/live_request.h"

namespace orrery::engine {
namespace {

using Clock = LiveRequest::Clock;
using Kind = Refusal::Kind;

f64 seconds_since(Clock::time_point begin) {
  return std::chrono::duration<f64>(Clock::now() - begin).count();
}

// What would make a pass fail, found where the one who asked can still be told.
Result<void> check(const Submission& submission, const Engine& engine) {
  const u32 vocab = engine.model().spec.vocab;
  const auto known = [&](text::TokenId id) { return id >= 0 && u32(id) < vocab; };
  if (submission.prompt.empty()) return fail("the prompt is empty");
  if (submission.prompt.size() > engine.context())
    return fail("the prompt has {} tokens, the context holds {}", submission.prompt.size(),
                engine.context());
  for (const text::TokenId id : submission.prompt)
    if (!known(id)) return fail("token id {} is outside the vocabulary of {}", id, vocab);
  for (const auto& [id, bias] : submission.logit_bias)
    if (!known(id) || !(bias >= -1000 && bias <= 1000))
      return fail("a logit bias of {} for token {}; -1000 to 1000 of one of {} tokens", bias, id,
                  vocab);
  if (submission.logprobs.value_or(0) > kLogprobsMax ||
      submission.prompt_logprobs.value_or(0) > kLogprobsMax)
    return fail("log probabilities of more than {} tokens", kLogprobsMax);
  if (submission.deadline_seconds && !(*submission.deadline_seconds > 0))
    return fail("a deadline that has passed");
  CHECK_OK(forward::Sampler::make(submission.generate.sampler, 1));
  return {};
}

}  // namespace

class Scheduler::Loop {
 public:
  Loop(Engine& engine, const SchedulerOptions& options, u32 running_max)
      : engine_(engine), options_(options), running_max_(running_max) {
    mask_.resize(divide_up(engine.model().spec.vocab, 32u));
    thread_ = std::thread([this] { main(); });
  }
  ~Loop() {
    drain(0);
    thread_.join();
  }

  tl::expected<Admission, Refusal> submit(Submission submission,
                                          std::shared_ptr<Listener> listener) {
    if (auto good = check(submission, engine_); !good)
      return tl::unexpected(Refusal{.kind = Kind::kInvalid, .error = good.error()});
    const std::lock_guard lock(mutex_);
    if (draining_)
      return tl::unexpected(
          Refusal{.kind = Kind::kDraining, .error = Error{"the server is shutting down"}});
    if (stats_.waiting >= options_.queue_max) {
      ++stats_.refused;
      return tl::unexpected(
          Refusal{.kind = Kind::kQueueFull,
                  .error = Error{fmt::format("{} requests wait already", stats_.waiting)},
                  .queued = stats_.waiting});
    }
    ++stats_.submitted;
    const Ticket ticket = ++tickets_;
    inbox_.push_back(
        std::make_unique<LiveRequest>(ticket, std::move(submission), std::move(listener)));
    const u32 position = stats_.waiting++;
    wake_.notify_one();
    return Admission{.ticket = ticket, .position = position};
  }

  void cancel(Ticket ticket) {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(ticket);
    wake_.notify_one();
  }

  SchedulerStats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void drain(f64 seconds) {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    drain_end_ = std::min(drain_end_, Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                         std::chrono::duration<f64>(seconds)));
    wake_.notify_one();
  }
  bool drained() const {
    const std::lock_guard lock(mutex_);
    return drained_;
  }
  void wait_drained() {
    std::unique_lock lock(mutex_);
    drained_changed_.wait(lock, [&] { return drained_; });
  }

 private:
  struct Running {
    std::unique_ptr<LiveRequest> request;
    u32 sequence;
    u32 computed = 0, planned = 0;
  };

  void main() {
    while (receive()) {
      const auto begin = Clock::now();
      admit();
      step();
      const std::lock_guard lock(mutex_);
      stats_.busy_seconds += seconds_since(begin);
      stats_.running = u32(running_.size());
      stats_.waiting = u32(waiting_.size() + inbox_.size());
    }
    const std::lock_guard lock(mutex_);
    drained_ = true;
    drained_changed_.notify_all();
  }

  // Takes what has come; waits when there is nothing to do. False: all is over.
  bool receive() {
    std::unordered_set<Ticket> cancelled;
    bool over = false;
    {
      std::unique_lock lock(mutex_);
      if (running_.empty() && waiting_.empty())
        wake_.wait(lock, [&] { return !inbox_.empty() || draining_; });
      waiting_.insert(waiting_.end(), std::make_move_iterator(inbox_.begin()),
                      std::make_move_iterator(inbox_.end()));
      inbox_.clear();
      cancelled.swap(cancelled_);
      over = draining_ && Clock::now() >= drain_end_;
      if (draining_ && running_.empty() && waiting_.empty()) return false;
    }
    const auto gone = [&](const std::unique_ptr<LiveRequest>& r) {
      return over || cancelled.contains(r->ticket());
    };
    std::erase_if(waiting_, [&](auto& r) {
      if (!gone(r)) return false;
      end(*r, Finish::kCancelled);
      return true;
    });
    std::erase_if(running_, [&](auto& r) {
      if (!gone(r.request)) return false;
      end(*r.request, Finish::kCancelled);
      engine_.cache().close_sequence(r.sequence);
      return true;
    });
    return true;
  }

  void end(LiveRequest& request, Finish finish) { request.end(finish); }

  void admit() {
    while (running_.size() < running_max_ && !waiting_.empty()) {
      auto sequence = engine_.cache().open_sequence();
      if (!sequence) return;
      std::unique_ptr<LiveRequest> request = std::move(waiting_.front());
      waiting_.erase(waiting_.begin());
      if (auto ready = request->prepare(engine_); !ready) {
        request->end(Finish::kError, ready.error());
        engine_.cache().close_sequence(*sequence);
        continue;
      }
      request->note_started(Clock::now());
      running_.push_back({std::move(request), *sequence});
    }
  }

  void step() {
    batch_.tokens.clear();
    u32 rows = 0;
    for (const bool decode : {true, false})
      for (Running& r : running_) {
        const u32 open = u32(r.request->tokens().size()) - r.computed;
        if ((open == 1) != decode) continue;
        const bool all_rows = r.request->submission().prompt_logprobs.has_value();
        u32 count = std::min({open, engine_.scratch().tokens_max - batch_.size()});
        if (all_rows) count = std::min(count, engine_.scratch().logit_rows_max - rows);
        if (rows >= engine_.scratch().logit_rows_max) count = 0;
        r.planned = count;
        for (u32 i = 0; i < count; ++i) {
          const u32 position = r.computed + i;
          const bool wanted = all_rows || i + 1 == open;
          rows += wanted;
          batch_.tokens.push_back({r.request->tokens()[position], r.sequence, position, wanted,
                                   r.request->length_at(position)});
        }
      }
    if (batch_.size() == 0) return;
    const auto begin = Clock::now();
    const auto passed = engine_.pass(batch_);
    {
      const std::lock_guard lock(mutex_);
      ++stats_.steps;
      stats_.forward_seconds += seconds_since(begin);
    }
    read(passed);
  }

  void read(const Result<void>& passed) {
    // In the order of the batch: first the decoding ones, as step() filled it.
    const u32 vocab = engine_.model().spec.vocab;
    u32 row = 0, t = 0;
    std::vector<Running*> ended;
    while (t < batch_.size()) {
      const u32 sequence = batch_.tokens[t].sequence;
      Running& r = *std::find_if(running_.begin(), running_.end(),
                                 [&](const Running& one) { return one.sequence == sequence; });
      bool goes_on = true;
      if (!passed) {
        r.request->end(Finish::kError, passed.error());
        goes_on = false;
      }
      for (u32 i = 0; i < r.planned; ++i, ++t) {
        if (goes_on) r.request->tell_hidden(engine_, t, batch_.tokens[t].position);
        if (!goes_on || !batch_.tokens[t].logits) continue;
        const std::span<f32> logits(engine_.scratch().logits + u64(row++) * vocab, vocab);
        const u32 position = batch_.tokens[t].position;
        r.request->read_prompt_logits(position, logits);
        if (position + 1 != r.request->tokens().size()) continue;
        if (r.request->submission().prompt_only) {
          r.request->end_prompt();
          goes_on = false;
          continue;
        }
        r.request->choose(logits, mask_);
        goes_on = r.request->tell(position + 1);
      }
      r.computed += r.planned;
      if (!goes_on) ended.push_back(&r);
    }
    running_.remove_if([&](Running& r) {
      if (std::find(ended.begin(), ended.end(), &r) == ended.end()) return false;
      engine_.cache().close_sequence(r.sequence);
      return true;
    });
  }

  Engine& engine_;
  SchedulerOptions options_;
  u32 running_max_;
  // The scheduler's thread only.
  std::vector<std::unique_ptr<LiveRequest>> waiting_;
  std::list<Running> running_;
  forward::Batch batch_;
  std::vector<u32> mask_;
  // Shared.
  mutable std::mutex mutex_;
  std::condition_variable wake_, drained_changed_;
  std::vector<std::unique_ptr<LiveRequest>> inbox_;
  std::unordered_set<Ticket> cancelled_;
  SchedulerStats stats_;
  Ticket tickets_ = 0;
  bool draining_ = false, drained_ = false;
  Clock::time_point drain_end_ = Clock::time_point::max();
  std::thread thread_;
};

Scheduler::Scheduler(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Scheduler::~Scheduler() = default;

Result<std::unique_ptr<Scheduler>> Scheduler::start(Engine& engine,
                                                    const SchedulerOptions& options) {
  const u32 running_max = engine.scratch().logit_rows_max;
  return std::unique_ptr<Scheduler>(new Scheduler(std::make_unique<Loop>(
      engine, options,
      options.running_max ? std::min(options.running_max, running_max) : running_max)));
}

tl::expected<Admission, Refusal> Scheduler::submit(Submission submission,
                                                   std::shared_ptr<Listener> listener) {
  return loop_->submit(std::move(submission), std::move(listener));
}
void Scheduler::cancel(Ticket ticket) { loop_->cancel(ticket); }
SchedulerStats Scheduler::stats() const { return loop_->stats(); }
void Scheduler::drain(f64 seconds) { loop_->drain(seconds); }
bool Scheduler::drained() const { return loop_->drained(); }
void Scheduler::wait_drained() { loop_->wait_drained(); }

}  // namespace orrery::engine
