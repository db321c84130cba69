// StepRunner: the requests that a scheduler has taken, and the steps that bring them on: it lets
// Schedule choose, runs what was chosen on the engine, and tells listeners what came of it.
//
// One thread calls it. Not here: choices (Schedule, StepPolicy), queues between threads, the clock
// of anything but measuring.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/disk_pages.h"
#include "engine/live_request.h"
#include "engine/schedule.h"
#include "engine/scheduler.h"

namespace orrery::engine {

class StepRunner {
 public:
  using Clock = LiveRequest::Clock;

  // An error when the cache folder cannot be used. `wake`: take_loaded() has something to do; from
  // another thread.
  [[nodiscard]] static Result<std::unique_ptr<StepRunner>> make(Engine& engine,
                                                                const SchedulerOptions& options,
                                                                u32 running_max,
                                                                std::function<void()> wake);

  void take(std::unique_ptr<LiveRequest> request);
  void cancel(u64 ticket);
  void cancel_all();
  // Ends those whose time is over.
  void end_overdue();
  // One pass of the model, if there is anything to do. `planned` is called when it is known who
  // runs and who waits, before the pass.
  void step(const std::function<void()>& planned);

  // Lets those requests go on whose beginnings have been read from disk by now.
  void take_loaded();
  // Writes cached pages to disk, for as long as that may take; the last call.
  void save();

  [[nodiscard]] bool idle() const { return requests_.empty(); }
  // Whether all that is left waits for the disk.
  [[nodiscard]] bool only_loads() const { return !idle() && requests_.size() == loading_; }
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
    bool loading = false;  // its beginning is read from disk; the schedule does not know it yet
  };
  struct Load {
    u64 ticket = 0;
    std::string cache_key = {};
    std::vector<text::TokenId> tokens = {};
    u32 first = 0;                // of the text's pages
    std::vector<u32> pages = {};  // where they are read to
    u32 good = 0;                 // how many of them could be
  };
  StepRunner(Engine& engine, const SchedulerOptions& options, u32 running_max,
             std::unique_ptr<DiskPages> disk, std::function<void()> wake);
  // Whether a part of its text is being read from disk now.
  [[nodiscard]] bool load(Live& live);
  [[nodiscard]] f64 now() const;
  [[nodiscard]] std::string cache_key(const Submission& submission) const;
  [[nodiscard]] Live& live(const Job& job) { return *requests_.at(job.id); }
  void end(u64 ticket, Finish finish, std::optional<Error> error = std::nullopt);
  // Of one that has ended: takes it out of everything.
  void forget(u64 ticket);
  void start(Live& live);
  void note_parting(Live& live);
  void copy_pages(const StepPlan& plan);
  void fill_batch(const StepPlan& plan);
  void note_chunks(const StepPlan& plan, f64 seconds);
  void read(const std::vector<StepPlan::Run>& runs);
  // One run's rows of the batch; false: the request has ended.
  [[nodiscard]] bool read_run(Live& live, const StepPlan::Run& run, u32 first, u32& row);
  void fail_all(const std::vector<StepPlan::Run>& runs, const Error& error);

  Engine* engine_;
  std::function<void()> wake_;
  std::mutex loaded_mutex_;
  std::vector<Load> loaded_;
  std::unique_ptr<DiskPages> disk_;  // ends before what its thread writes to
  u64 loading_ = 0;                  // requests
  Schedule schedule_;
  Clock::time_point began_ = Clock::now();
  std::unordered_map<u64, std::unique_ptr<Live>> requests_;  // by ticket
  forward::Batch batch_;
  std::vector<u32> mask_;
  SchedulerStats stats_;
  f64 run_seconds_ = 0;
};

}  // namespace orrery::engine
