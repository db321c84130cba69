#include "engine/scheduler.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "engine/step_runner.h"

namespace orrery::engine {
namespace {

using Clock = LiveRequest::Clock;
using Kind = Refusal::Kind;

constexpr f64 kDrainSecondsMax = 1e6;  // what a clock can add without overflow

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
      : engine_(engine), options_(options), running_max_(running_max) {}
  ~Loop() {
    if (!thread_.joinable()) return;
    drain(0);
    thread_.join();
  }
  Result<void> start() {
    TRY(runner_, StepRunner::make(engine_, options_, running_max_, [this] {
          const std::lock_guard lock(mutex_);
          loaded_ = true;
          wake_.notify_one();
        }));
    stats_ = runner_->stats();
    thread_ = std::thread([this] { main(); });
    return {};
  }

  tl::expected<Admission, Refusal> submit(Submission submission,
                                          std::shared_ptr<Listener> listener) {
    if (auto good = check(submission, engine_); !good)
      return tl::unexpected(Refusal{.kind = Kind::kInvalid, .error = good.error()});
    const std::lock_guard lock(mutex_);
    if (draining_)
      return tl::unexpected(
          Refusal{.kind = Kind::kDraining, .error = Error{"the server is shutting down"}});
    const u32 waiting = stats_.waiting + u32(inbox_.size());
    if (waiting >= options_.queue_max) {
      ++refused_;
      const f64 wait = wait_seconds(0);
      return tl::unexpected(
          Refusal{.kind = Kind::kQueueFull,
                  .error = Error{fmt::format("{} requests wait already, about {:.0f} s; come back "
                                             "later",
                                             waiting, wait_seconds(waiting))},
                  .queued = waiting,
                  .wait_seconds = wait});
    }
    const Ticket ticket = ++tickets_;
    inbox_.push_back(
        std::make_unique<LiveRequest>(ticket, std::move(submission), std::move(listener)));
    wake_.notify_one();
    const bool begins = waiting == 0 && stats_.running < running_max_;
    return Admission{
        .ticket = ticket, .position = waiting, .wait_seconds = begins ? 0 : wait_seconds(waiting)};
  }

  void cancel(Ticket ticket) {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(ticket);
    wake_.notify_one();
  }

  SchedulerStats stats() const {
    const std::lock_guard lock(mutex_);
    SchedulerStats stats = stats_;
    stats.waiting += u32(inbox_.size());
    stats.submitted = tickets_;
    stats.refused = refused_;
    return stats;
  }

  void wake() {
    const std::lock_guard lock(mutex_);
    side_wanted_ = true;
    wake_.notify_one();
  }

  void drain(f64 seconds) {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    const auto end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<f64>(std::min(seconds, kDrainSecondsMax)));
    drain_end_ = std::min(drain_end_, end);
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
  // Until one that comes after `before` others begins: each place is free again after as long as a
  // request runs, and there are as many places as run now.
  f64 wait_seconds(u32 before) const {
    const f64 places = std::max(1u, stats_.running);
    return run_seconds_ * (before + 1) / places;
  }

  void main() {
    while (receive()) {
      const auto begin = Clock::now();
      runner_->end_overdue();
      // Who has begun no longer takes a place in the queue, even while its first step lasts.
      if (!runner_->idle()) runner_->step([this] { publish(0); });
      publish(seconds_since(begin));
      go_aside();
    }
    runner_->save();
    const std::lock_guard lock(mutex_);
    drained_ = true;
    drained_changed_.notify_all();
  }

  void go_aside() {
    if (!options_.side) return;
    {
      const std::lock_guard lock(mutex_);
      if (!side_wanted_) return;
      side_wanted_ = false;
    }
    if (options_.side->go(!runner_->idle())) wake();
  }

  void publish(f64 seconds) {
    const std::lock_guard lock(mutex_);
    busy_seconds_ += seconds;
    stats_ = runner_->stats();
    stats_.busy_seconds = busy_seconds_;
    run_seconds_ = runner_->run_seconds();
  }

  // Takes what has come; waits when there is nothing to do. False: all is over.
  bool receive() {
    std::vector<std::unique_ptr<LiveRequest>> came;
    std::unordered_set<Ticket> cancelled;
    bool draining = false, over = false;
    {
      std::unique_lock lock(mutex_);
      if (runner_->idle() || runner_->only_loads())
        wake_.wait(lock, [&] {
          return !inbox_.empty() || !cancelled_.empty() || draining_ || side_wanted_ || loaded_;
        });
      loaded_ = false;
      came.swap(inbox_);
      stats_.waiting += u32(came.size());
      cancelled.swap(cancelled_);
      draining = draining_;
      over = draining_ && Clock::now() >= drain_end_;
    }
    runner_->take_loaded();
    for (auto& request : came) runner_->take(std::move(request));
    for (const Ticket ticket : cancelled) runner_->cancel(ticket);
    if (over) runner_->cancel_all();
    return !draining || !runner_->idle();
  }

  Engine& engine_;
  SchedulerOptions options_;
  u32 running_max_;
  // Shared.
  mutable std::mutex mutex_;
  std::condition_variable wake_, drained_changed_;
  std::vector<std::unique_ptr<LiveRequest>> inbox_;
  std::unordered_set<Ticket> cancelled_;
  SchedulerStats stats_;  // after the last step
  f64 busy_seconds_ = 0, run_seconds_ = 0;
  u64 refused_ = 0;
  Ticket tickets_ = 0;
  bool draining_ = false, drained_ = false, side_wanted_ = false, loaded_ = false;
  Clock::time_point drain_end_ = Clock::time_point::max();
  std::unique_ptr<StepRunner> runner_;  // the scheduler's thread only; its disk calls this
  std::thread thread_;
};

Scheduler::Scheduler(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Scheduler::~Scheduler() = default;

Result<std::unique_ptr<Scheduler>> Scheduler::start(Engine& engine,
                                                    const SchedulerOptions& options) {
  u32 running_max =
      std::min(engine.scratch().logit_rows_max, engine.cache().pool().sequences_max());
  if (options.running_max) running_max = std::min(options.running_max, running_max);
  auto loop = std::make_unique<Loop>(engine, options, running_max);
  CHECK_OK(loop->start());
  return std::unique_ptr<Scheduler>(new Scheduler(std::move(loop)));
}

tl::expected<Admission, Refusal> Scheduler::submit(Submission submission,
                                                   std::shared_ptr<Listener> listener) {
  return loop_->submit(std::move(submission), std::move(listener));
}
void Scheduler::cancel(Ticket ticket) { loop_->cancel(ticket); }
SchedulerStats Scheduler::stats() const { return loop_->stats(); }
void Scheduler::wake() { loop_->wake(); }
void Scheduler::drain(f64 seconds) { loop_->drain(seconds); }
bool Scheduler::drained() const { return loop_->drained(); }
void Scheduler::wait_drained() { loop_->wait_drained(); }

}  // namespace orrery::engine
