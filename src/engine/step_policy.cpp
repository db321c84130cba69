#include "engine/step_policy.h"

#include <algorithm>
#include <cmath>

namespace orrery::engine {
namespace {

constexpr f64 kPriorityShare = 16;
constexpr i32 kPriorityMost = 8;  // beyond it a step of priority makes nothing cheaper
// Classes take turns of this length: shorter ones would only have more prompts half read.
constexpr f64 kTurnSeconds = 0.5;
// So far behind must a waiting class be before a running job is put out for it, because what is put
// out must be computed again; and so many tokens must that job have gained since it started.
constexpr i64 kTurnsBehind = 4;
constexpr u32 kGainMin = 32;
constexpr u32 kAccountsIdleMax = 1024;

// A stream's readers should not see that somebody else's prompt is being read: a few times the
// usual gap, at most this long; and a step that is long already is made longer by half.
constexpr f64 kGaps = 3, kGapSecondsMax = 0.12, kLongGaps = 1.5;
// With no stream to hold up, what a cancel or a newcomer may have to wait for; but where reading
// the weights once takes long already, enough tokens must share that.
constexpr f64 kStepSecondsAlone = 0.25, kPassesAlone = 4;

constexpr u32 kChunkMin = 4;     // fewer tokens cost nearly the same
constexpr u32 kChunkFirst = 32;  // as long as nothing is known about the machine

f64 price(i32 priority) {
  return std::pow(kPriorityShare, -f64(std::clamp(priority, -kPriorityMost, kPriorityMost)));
}

}  // namespace

// A class that comes (back) starts where the most patient of the present ones stands: time that it
// did not use is not saved up.
void StepPolicy::join(Job& job) {
  Account& mine = accounts_[{job.owner, job.priority}];
  job.account = &mine;
  if (mine.jobs++ > 0) return;
  f64 least = std::numeric_limits<f64>::infinity();
  for (const auto& [name, other] : accounts_)
    if (other.jobs > 0 && &other != &mine) least = std::min(least, other.used);
  if (std::isfinite(least)) mine.used = std::max(mine.used, least);
}

void StepPolicy::leave(Job& job) {
  const u32 left = --job.account->jobs;
  job.account = nullptr;
  if (left == 0 && accounts_.size() > kAccountsIdleMax) forget_idle();
}

void StepPolicy::forget_idle() {
  std::erase_if(accounts_, [](const auto& one) { return one.second.jobs == 0; });
}

void StepPolicy::charge(const Job& job, f64 seconds) {
  job.account->used += seconds * price(job.priority);
}

i64 StepPolicy::turns(const Job& job) const { return i64(job.account->used / kTurnSeconds); }

f64 StepPolicy::due(const Job& job) const {
  const f64 prompt = cost_->seconds_of_prompt(0, job.prompt_count);
  return std::min(job.arrival + prompt, job.deadline - prompt);
}

bool StepPolicy::before(const Job& a, const Job& b) const {
  const i64 turns_a = turns(a), turns_b = turns(b);
  if (turns_a != turns_b) return turns_a < turns_b;
  if (a.priority != b.priority) return a.priority > b.priority;
  const f64 due_a = due(a), due_b = due(b);
  return due_a != due_b ? due_a < due_b : a.id < b.id;
}

bool StepPolicy::makes_way(const Job& running, const Job& waiting) const {
  if (running.known() < running.started_at + kGainMin) return false;
  const i64 behind = turns(running) - turns(waiting);
  return behind >= kTurnsBehind || (behind >= 0 && waiting.priority > running.priority);
}

f64 StepPolicy::step_seconds(f64 replies_seconds) const {
  if (replies_seconds == 0)
    return std::max(kStepSecondsAlone, kPassesAlone * cost_->seconds({.tokens = 1, .rows = 1}));
  if (step_seconds_ > 0) return step_seconds_;
  return std::max(std::min(kGaps * replies_seconds, kGapSecondsMax), kLongGaps * replies_seconds);
}

u32 StepPolicy::chunk(const StepWork& work, u32 begin, u32 open, f64 seconds,
                      u32 largest_so_far) const {
  // Beyond what has been seen a prediction is a guess, so chunks grow by doubling.
  const u32 most = std::min(open, std::max(kChunkFirst, 2 * largest_so_far));
  const auto fits = [&](u32 count) {
    StepWork with = work;
    with.tokens += count;
    with.rows += count == open;
    with.attended += u64(count) * begin + u64(count) * count / 2;
    return cost_->seconds(with) <= seconds;
  };
  if (!cost_->knows()) return std::min(open, kChunkFirst);
  u32 good = 0, bad = most + 1;
  while (bad - good > 1) {
    const u32 middle = good + (bad - good) / 2;
    (fits(middle) ? good : bad) = middle;
  }
  if (good == open) return good;
  return good < kChunkMin ? 0 : good;
}

}  // namespace orrery::engine
