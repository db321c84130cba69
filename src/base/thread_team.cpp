#include "base/thread_team.h"

#include <algorithm>
#include <chrono>

namespace orrery {
namespace {

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// How long a member spins for the next job before it sleeps: longer than the gap between two tokens
// of one reply (sampling, detokenizing), shorter than a person's pause.
constexpr auto kSpin = std::chrono::milliseconds(2);
// How long a member spins at a barrier before it lets another process have the core: on a machine
// with more busy threads than cores the one that it waits for may not be running.
constexpr u32 kBarrierSpins = 20000;

}  // namespace

Range Worker::share(u64 count, u64 grain) const {
  const u64 pieces = divide_up(count, grain), size = team_->size();
  const auto cut = [&](u64 i) { return std::min(count, (pieces * i / size) * grain); };
  return {cut(index_), index_ + 1 == size ? count : cut(index_ + 1)};
}

ThreadTeam::ThreadTeam(u32 size) : size_(std::max(size, 1u)) {
  for (u32 i = 1; i < size_; ++i) threads_.emplace_back([this, i] { member_main(i); });
}

ThreadTeam::~ThreadTeam() {
  stopping_.store(true);
  generation_.value.fetch_add(1);
  generation_.value.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run_job(JobRef job) {
  Worker worker(*this, 0);
  if (size_ == 1) return job.call(job.target, worker);
  job_ = job;
  generation_.value.fetch_add(
      1);  // sequentially consistent, as the check of parked_ must come after
  if (parked_.value.load()) generation_.value.notify_all();
  job.call(job.target, worker);
  meet();
}

void ThreadTeam::member_main(u32 index) {
  u32 seen = 0;
  Worker worker(*this, index);
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    for (u32 spins = 0; generation_.value.load(std::memory_order_acquire) == seen; ++spins) {
      relax();
      if (spins % 256 == 255 && std::chrono::steady_clock::now() > until) {
        parked_.value.fetch_add(1);
        generation_.value.wait(seen);
        parked_.value.fetch_sub(1);
      }
    }
    seen = generation_.value.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    job_.call(job_.target, worker);
    meet();
  }
}

void ThreadTeam::meet() {
  if (size_ == 1) return;
  const u32 phase = phase_.value.load(std::memory_order_acquire);
  if (arrived_.value.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.value.store(0, std::memory_order_relaxed);
    phase_.value.store(phase + 1, std::memory_order_release);
    return;
  }
  for (u32 spins = 0; phase_.value.load(std::memory_order_acquire) == phase; ++spins) {
    relax();
    if (spins > kBarrierSpins) std::this_thread::yield();
  }
}

}  // namespace orrery
