// Scheduler: many requests on one engine, each step one flat batch of all of them.
//
// One thread owns the engine. Each step takes one token of every reply that is being made, then as
// much of the waiting prompts as the step's time allows. A request's reply is the same bits as
// Engine::generate() gives it alone (docs/adr/0002), whoever else is there and whatever happens to
// it on the way. Not here: what a request means, HTTP, templates.
#pragma once

#include <memory>

#include "engine/disk_pages.h"
#include "engine/submission.h"

namespace orrery::engine {

// What the engine does beside requests, on the thread that owns it: watched runs, for one.
class SideWork {
 public:
  virtual ~SideWork() = default;
  // One short piece, between two steps. `busy`: requests are being served. True: there is more to
  // do now; else it is called again after Scheduler::wake().
  [[nodiscard]] virtual bool go(bool busy) = 0;
};

struct SchedulerOptions {
  u32 queue_max = 256;  // requests that may wait
  u32 running_max = 0;  // 0: as many as the engine has sequences and logit rows for
  f64 step_ms = 0;      // what a step may last while replies stream; 0: by the cost model
  bool prefix_cache = true;
  DiskPageOptions disk = {};  // cached texts beyond memory and restarts; without a folder: none
  std::shared_ptr<SideWork> side = nullptr;
};

using Ticket = u64;

// Why a submission was not taken.
struct Refusal {
  enum class Kind : u8 { kInvalid, kQueueFull, kDraining };
  Kind kind = Kind::kInvalid;
  Error error;
  u32 queued = 0;        // requests that wait
  f64 wait_seconds = 0;  // until there is room, as far as one can tell
};

struct Admission {
  Ticket ticket = 0;
  u32 position = 0;      // requests that wait before this one
  f64 wait_seconds = 0;  // until it begins, as far as one can tell
};

struct SchedulerStats {
  u32 running = 0, waiting = 0;
  u32 pages = 0, pages_free = 0, pages_cached = 0;  // cached: of finished texts, given up on demand
  u64 submitted = 0, refused = 0;
  u64 ended[kFinishCount] = {};  // by Finish
  u64 prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  u64 steps = 0, preemptions = 0, evicted_pages = 0;
  DiskPageStats disk;
  f64 forward_seconds = 0;  // in the model
  f64 busy_seconds = 0;     // in steps as a whole
  f64 decode_gap_max = 0;   // longest wait between two tokens of any reply
};

class Scheduler {
 public:
  // The engine must outlive it and belongs to it alone. An error when the options do not fit it,
  // or the cache folder cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<Scheduler>> start(Engine& engine,
                                                                const SchedulerOptions& options);
  // Whatever has not ended ends now, with kCancelled.
  ~Scheduler();

  // From any thread; never waits for a step.
  [[nodiscard]] tl::expected<Admission, Refusal> submit(Submission submission,
                                                        std::shared_ptr<Listener> listener);
  // Takes effect within one step; of a request that has ended, none.
  void cancel(Ticket ticket);
  [[nodiscard]] SchedulerStats stats() const;
  // The side work has something to do. From any thread.
  void wake();

  // From now on nothing is taken any more; what was taken goes on for at most so long, then ends
  // with kCancelled. Returns at once.
  void drain(f64 seconds);
  // Whether draining and nothing is left. wait_drained() returns when it is so.
  [[nodiscard]] bool drained() const;
  void wait_drained();

 private:
  class Loop;
  explicit Scheduler(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace orrery::engine
