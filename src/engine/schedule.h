// Schedule: which tokens of which requests make up the next step, and which pages they have.
//
// plan() takes one token of every reply that is being made, then pieces of prompts as long as the
// step's time lasts; completed() takes note that the step was made. A request that finds no page is
// helped by giving up cached texts, then by putting out the request that comes last, which later
// computes its text again (or finds it in the cache). Numbers only: the scheduler runs it on an
// engine, the simulation under a clock of its own.
#pragma once

#include <vector>

#include "engine/prefix_tree.h"
#include "engine/step_policy.h"

namespace orrery::engine {

struct ScheduleLimits {
  u32 running_max = 1;
  u32 batch_tokens_max = 512;
  u32 logit_rows_max = 1;  // at least running_max
  f64 step_seconds = 0;    // StepPolicy
  bool prefix_cache = true;
};

// How copies of a sequence's states are kept, of models that have some (PrefixTree).
struct StateMoves {
  u32 count = 0;  // of copies
  std::function<void(u32 sequence, u32 kept)> save;
  std::function<void(u32 kept, u32 sequence)> load;
};

struct StepPlan {
  struct Run {
    Job* job;
    u32 begin, count;  // positions
  };
  struct Copy {
    u32 from, to;  // pages
  };
  std::vector<Run> runs;      // the step's batch, in this order
  std::vector<Copy> copies;   // to be made before, in this order
  std::vector<Job*> started;  // that begin to run with this step
  StepWork work;
};

class Schedule {
 public:
  // `store`: of cached pages beyond memory; must outlive it. `states`: of a model that has some.
  Schedule(forward::PagePool& pool, const ScheduleLimits& limits, PageStore* store = nullptr,
           std::optional<StateMoves> states = std::nullopt);

  void add(Job& job);  // waits
  // Takes it out, whatever it is doing. What it has computed stays in the cache.
  void remove(Job& job);

  // The next step, valid until the next call. No runs: there is nothing to do, or what is to be
  // done has more tokens than all pages hold.
  [[nodiscard]] const StepPlan& plan();
  // The step was made. Tokens that it chose are appended by the caller afterwards.
  void completed(f64 seconds);

  // What of a job's text could be read from the store, before add(). Pages to read it into, as many
  // as can be had (kept, nobody's); they come back by adopt(), in order, with those at the end that
  // could not be read.
  [[nodiscard]] PrefixTree::Stored stored(const Job& job) const;
  [[nodiscard]] std::vector<u32> borrow(u64 most);
  void adopt(const std::string& cache_key, PrefixTree::Tokens tokens, u32 first,
             std::span<const u32> good, std::span<const u32> bad);

  // What the cache knows of a job's text; counts as no use.
  [[nodiscard]] PrefixTree::Match known_of(const Job& job);
  [[nodiscard]] bool idle() const { return running_.empty() && waiting_.empty(); }
  [[nodiscard]] const std::vector<Job*>& running() const { return running_; }
  [[nodiscard]] const std::vector<Job*>& waiting() const { return waiting_; }
  [[nodiscard]] const CostModel& cost() const { return cost_; }
  [[nodiscard]] const PrefixTree& tree() const { return tree_; }
  [[nodiscard]] u64 preemptions() const { return preemptions_; }

 private:
  [[nodiscard]] u32 pages_for(u32 tokens) const;
  [[nodiscard]] u32 pages_promised() const;
  [[nodiscard]] bool room_for(Job& job);
  [[nodiscard]] bool start(Job& job);
  void take_prefix(Job& job);
  [[nodiscard]] Job* last_running() const;
  [[nodiscard]] Job* best_prompt(const std::vector<Job*>& tried, bool waiting_too) const;
  [[nodiscard]] bool reserve(Job& job, u32 length);
  [[nodiscard]] u32 next_state(const Job& job) const;
  void make_way();
  void plan_replies();
  void plan_prompts();
  void plan_run(Job& job, u32 count);
  void keep_text(Job& job, bool tail, bool state);
  void preempt(Job& job);

  forward::PagePool* pool_;
  ScheduleLimits limits_;
  std::optional<StateMoves> states_;
  CostModel cost_;
  StepPolicy policy_;
  PrefixTree tree_;
  bool has_store_;
  std::vector<Job*> waiting_, running_;
  StepPlan plan_;
  u32 largest_ = 0;  // tokens of the largest step so far
  u64 preemptions_ = 0;
};

}  // namespace orrery::engine
