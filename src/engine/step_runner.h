// StepRunner: the requests that a scheduler has taken, and the steps that bring them on: it lets
// Schedule choose, runs what was chosen on the engine, and tells listeners what came of it.
//
// One thread calls it. Not here: choices (Schedule, StepPolicy), queues between threads, the clock
// of anything but measuring.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "engine/live_request.h"
#include "engine/schedule.h"
#include "engine/scheduler.h"

namespace orrery::engine {

class StepRunner {
 public:
  using Clock = LiveRequest::Clock;

  StepRunner(Engine& engine, const SchedulerOptions& options, u32 running_max);

  void take(std::unique_ptr<LiveRequest> request);
  void cancel(u64 ticket);
  void cancel_all();
  // Ends those whose time is over.
  void end_overdue();
  // One pass of the model, if there is anything to do. `planned` is called when it is known who
  // runs and who waits, before the pass.
  void step(const std::function<void()>& planned);

  [[nodiscard]] bool idle() const { return requests_.empty(); }
  // What it knows of: counts of requests, pages and tokens; the rest is 0.
  [[nodiscard]] const SchedulerStats& stats();
  // Seconds that a request has run for, of late; 0: none has ended so far.
  [[nodiscard]] f64 run_seconds() const { return run_seconds_; }

 private:
  struct Live {
    std::unique_ptr<LiveRequest> request;
    Job job;
    std::optional<Error> failed;
    Clock::time_point started = {};
  };
  [[nodiscard]] f64 now() const;
  [[nodiscard]] std::string cache_key(const Submission& submission) const;
  [[nodiscard]] Live& live(const Job& job) { return *requests_.at(job.id); }
  void end(u64 ticket, Finish finish, std::optional<Error> error = std::nullopt);
  // Of one that has ended: takes it out of everything.
  void forget(u64 ticket);
  void start(Live& live);
  void note_parting(Live& live);
  void fill_batch(const StepPlan& plan);
  void note_chunks(const StepPlan& plan, f64 seconds);
  void read(const std::vector<StepPlan::Run>& runs);
  // One run's rows of the batch; false: the request has ended.
  [[nodiscard]] bool read_run(Live& live, const StepPlan::Run& run, u32 first, u32& row);
  void fail_all(const std::vector<StepPlan::Run>& runs, const Error& error);

  Engine* engine_;
  Schedule schedule_;
  Clock::time_point began_ = Clock::now();
  std::unordered_map<u64, std::unique_ptr<Live>> requests_;  // by ticket
  forward::Batch batch_;
  std::vector<u32> mask_;
  SchedulerStats stats_;
  f64 run_seconds_ = 0;
};

}  // namespace orrery::engine
