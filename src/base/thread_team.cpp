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
// Pieces of a member's share. More balance better; each costs about 20 ns.
constexpr u32 kPiecesMost = 8;

}  // namespace

Range Worker::share_of(u64 count, u64 grain, u32 member) const {
  const u64 units = divide_up(count, grain), size = team_->size();
  const auto cut = [&](u64 i) { return std::min(count, (units * i / size) * grain); };
  return {cut(member), member + 1 == size ? count : cut(member + 1)};
}

Range Worker::share(u64 count, u64 grain) const { return share_of(count, grain, index_); }

u32 Worker::piece_count(u64 count, u64 least, u32 member) const {
  const u64 share = share_of(count, 1, member).size();
  return u32(std::clamp(share / std::max<u64>(least, 1), u64(share > 0), u64(kPiecesMost)));
}

Range Worker::piece_of(u64 count, u64 least, u32 member, u32 piece) const {
  const Range share = share_of(count, 1, member);
  const u32 pieces = piece_count(count, least, member);
  return {share.begin + share.size() * piece / pieces,
          share.begin + share.size() * (piece + 1) / pieces};
}

// A call's number only grows (it may wrap). What stands there of an earlier call may be replaced
// once it is used up; before, its owner is still at it, and then the later call has to wait for
// him.
u32 ThreadTeam::take_piece(u32 member, u32 call, u32 count, bool own) {
  std::atomic<u64>& left = left_[member].value;
  u64 value = left.load(std::memory_order_relaxed);
  for (;;) {
    const u32 of = u32(value >> 32);
    u32 rest = u32(value);
    if (of != call) {
      if (i32(of - call) > 0 || (rest > 0 && !own)) return count;
      rest = count;
    }
    if (rest == 0 && of == call) return count;
    const u64 next = u64(call) << 32 | (rest > 0 ? rest - 1 : 0);
    // Relaxed: a piece's results are handed on by barriers.
    if (left.compare_exchange_weak(value, next, std::memory_order_relaxed)) return count - rest;
  }
}

ThreadTeam::ThreadTeam(u32 size)
    : size_(std::max(size, 1u)), left_(std::make_unique<Left[]>(size_)), caller_(*this, 0) {
  for (u32 i = 1; i < size_; ++i) threads_.emplace_back([this, i] { member_main(i); });
}

ThreadTeam::~ThreadTeam() {
  stopping_.store(true);
  generation_.value.fetch_add(1);
  generation_.value.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run_job(JobRef job) {
  Worker& worker = caller_;
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
