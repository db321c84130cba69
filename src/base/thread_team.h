// ThreadTeam: a fixed set of threads that run one function together and meet at barriers.
//
// The forward pass has hundreds of short phases a token, so handing over a job and meeting must
// cost well under a microsecond: members spin on their own cache line for a while and only then
// sleep on a futex. A job is SPMD: every member gets a Worker with its index and calls barrier()
// between phases. Results must not depend on `size`: members own rows, no sum is ever split
// differently. Paper for the barrier: Mellor-Crummey & Scott 1991, "Algorithms for Scalable
// Synchronization".
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/types.h"

namespace orrery {

class ThreadTeam;

struct Range {
  u64 begin = 0, end = 0;
  [[nodiscard]] u64 size() const { return end - begin; }
};

class Worker {
 public:
  Worker(ThreadTeam& team, u32 index) : team_(&team), index_(index) {}
  [[nodiscard]] u32 index() const { return index_; }
  [[nodiscard]] u32 team_size() const;
  // Returns when every member of the team has called it; what they wrote before is visible after.
  void barrier();
  // This member's share of [0, count), cut at multiples of `grain`; shares are contiguous, in order
  // of index, and as equal as the grain allows.
  [[nodiscard]] Range share(u64 count, u64 grain = 1) const;
  // Calls work(Range) until [0, count) is done by the team, and returns when nothing is left to
  // begin (others may still be at theirs: a barrier follows before their results are read). Each
  // member works through its own share, piece by piece, and then takes what its neighbours have not
  // begun: cores differ in kind and in who else uses them. A piece is at least `least` long where
  // the share is. Every member must make the same calls in the same order.
  template <typename Work>
  void pieces(u64 count, u64 least, Work&& work);

 private:
  friend class ThreadTeam;
  [[nodiscard]] Range piece_of(u64 count, u64 least, u32 member, u32 piece) const;
  [[nodiscard]] u32 piece_count(u64 count, u64 least, u32 member) const;
  [[nodiscard]] Range share_of(u64 count, u64 grain, u32 member) const;

  ThreadTeam* team_;
  u32 index_;
  u32 call_ = 0;  // of pieces(), the same number for all members
};

class ThreadTeam {
 public:
  // `size` members, the calling thread among them: size - 1 threads are started.
  explicit ThreadTeam(u32 size);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  [[nodiscard]] u32 size() const { return size_; }

  // Runs job(worker) on every member, the caller as member 0, and returns when all are done.
  // One job at a time; the job must not throw. The job is only referred to: nothing is allocated.
  template <typename Job>
  void run(Job&& job) {
    run_job({&job, [](const void* target, Worker& worker) {
               (*static_cast<std::remove_reference_t<Job>*>(const_cast<void*>(target)))(worker);
             }});
  }

 private:
  friend class Worker;
  struct JobRef {
    const void* target = nullptr;
    void (*call)(const void* target, Worker& worker) = nullptr;
  };
  void run_job(JobRef job);
  void member_main(u32 index);
  void meet();
  // The number of a piece of `member` that nobody has begun in that call, `count` in all; `count`
  // when there is none.
  [[nodiscard]] u32 take_piece(u32 member, u32 call, u32 count, bool own);

  struct alignas(64) Line {
    std::atomic<u32> value{0};
  };
  // What is left of a member's share: the call of pieces() it belongs to above 32 bits, the number
  // of pieces below.
  struct alignas(64) Left {
    std::atomic<u64> value{0};
  };
  u32 size_;
  Line generation_;               // job number; members wait for it to change
  Line arrived_;                  // how many reached the barrier
  Line phase_;                    // barrier number; the last to arrive moves it on
  Line parked_;                   // members asleep on generation_
  std::unique_ptr<Left[]> left_;  // [size]
  Worker caller_;                 // member 0
  JobRef job_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

inline void Worker::barrier() { team_->meet(); }
inline u32 Worker::team_size() const { return team_->size(); }

template <typename Work>
void Worker::pieces(u64 count, u64 least, Work&& work) {
  constexpr u32 kNeighbours = 4;  // looking at all of a large team would cost more than it gives
  ++call_;
  const u32 size = team_size(), members = size < kNeighbours ? size : kNeighbours;
  for (u32 i = 0; i < members; ++i) {
    const u32 member = (index_ + i) % size, pieces = piece_count(count, least, member);
    for (u32 piece; (piece = team_->take_piece(member, call_, pieces, i == 0)) < pieces;)
      work(piece_of(count, least, member, piece));
  }
}

}  // namespace orrery
