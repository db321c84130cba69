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

 private:
  ThreadTeam* team_;
  u32 index_;
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

  struct alignas(64) Line {
    std::atomic<u32> value{0};
  };
  u32 size_;
  Line generation_;  // job number; members wait for it to change
  Line arrived_;     // how many reached the barrier
  Line phase_;       // barrier number; the last to arrive moves it on
  Line parked_;      // members asleep on generation_
  JobRef job_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

inline void Worker::barrier() { team_->meet(); }
inline u32 Worker::team_size() const { return team_->size(); }

}  // namespace orrery
