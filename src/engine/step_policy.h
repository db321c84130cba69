// StepPolicy: who comes next, who must go, and how long a step may last. Choices only: no clock, no
// memory, no threads, so that a simulation makes the same ones.
//
// Requests of one owner and priority are a class. A class is charged for the time that it uses, and
// the class with the least on its account comes first (the virtual token counter of Sheng et al.
// 2024, "Fairness in Serving Large Language Models", counted in seconds); each step of priority
// makes time kPriorityShare times cheaper, so that greater comes first and nobody waits for ever.
// Within a class: first who would be served first if each waited as long as its prompt takes, so
// that short prompts pass long ones but cannot hold them up.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "engine/cost_model.h"
#include "text/tokenizer.h"

namespace orrery::engine {

// Of a class: what it has used.
struct Account {
  f64 used = 0;  // seconds, by price
  u32 jobs = 0;  // present
};

// A request as the schedule sees it.
struct Job {
  u64 id = 0;
  std::string owner;
  i32 priority = 0;
  f64 arrival = 0;  // seconds of the clock that plan() is given
  f64 deadline = std::numeric_limits<f64>::infinity();
  const std::vector<text::TokenId>* tokens = nullptr;  // prompt and reply so far
  u32 prompt_count = 0;
  std::string cache_key;  // whose texts it may share (PrefixTree)
  bool wants_prompt_logits = false;
  bool takes_prefix = true;  // from the cache; not where every token must be computed

  // The schedule's:
  static constexpr u32 kNone = ~u32(0);
  u32 sequence = kNone;  // kNone: it waits
  u32 computed = 0;      // tokens whose keys and values are in its pages
  u32 reached = 0;       // the most that `computed` has been
  u32 started_at = 0;    // how many tokens were known when it last started
  u32 cached = 0;        // tokens that came from the tree when it first started
  u32 parted_at = 0;     // tokens that the nearest cached text had in common with it then
  std::vector<text::TokenId> cached_next;  // and how that text goes on
  u32 preemptions = 0, recomputed = 0;
  bool has_started = false;
  Account* account = nullptr;

  [[nodiscard]] bool runs() const { return sequence != kNone; }
  [[nodiscard]] u32 known() const { return u32(tokens->size()); }
  [[nodiscard]] u32 open() const { return known() - computed; }  // tokens still to be computed
};

class StepPolicy {
 public:
  // step_seconds 0: by the cost of a step without prompts.
  explicit StepPolicy(const CostModel& cost, f64 step_seconds = 0)
      : cost_(&cost), step_seconds_(step_seconds) {}

  void join(Job& job);
  void leave(Job& job);
  void charge(const Job& job, f64 seconds);

  // Between join() and leave(): whether `a` comes before `b`: a strict order of all jobs.
  [[nodiscard]] bool before(const Job& a, const Job& b) const;
  // Whether a running job should make way for one that waits and finds no room.
  [[nodiscard]] bool makes_way(const Job& running, const Job& waiting) const;
  // Seconds that a step may last when its replies alone take so long; 0: there are none.
  [[nodiscard]] f64 step_seconds(f64 replies_seconds) const;
  // How many of `open` tokens from position `begin` on a step with this work can take besides.
  [[nodiscard]] u32 chunk(const StepWork& work, u32 begin, u32 open, f64 seconds,
                          u32 largest_so_far) const;

 private:
  using Class = std::pair<std::string, i32>;
  [[nodiscard]] i64 turns(const Job& job) const;
  [[nodiscard]] f64 due(const Job& job) const;
  void forget_idle();

  const CostModel* cost_;
  f64 step_seconds_;
  std::map<Class, Account> accounts_;
};

}  // namespace orrery::engine
