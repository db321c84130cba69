// Ring: a bounded queue of events from the one thread that computes to whoever looks.
//
// The idea: two counters that only grow, head (bytes ever written) and tail (bytes ever read), over
// a buffer that wraps. The producer owns head, readers own tail, so the producer never waits and
// takes no lock; what does not fit is dropped and counted. Events have any size up to a greatest
// one. Deliberately not here: waking a reader (viewers poll at the rate at which they draw),
// several producers (the forward pass speaks from worker 0 only), and overwriting old events.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/types.h"
#include "trace/point.h"

namespace orrery::trace {

inline constexpr u32 kNone = ~u32(0);  // layer, row, sequence or position that an event has not

struct EventHeader {
  u64 step = 0;    // which call of the forward pass
  f64 number = 0;  // the value of a number event; 0 in an event with values
  u32 layer = kNone;
  u32 row = kNone;  // token's index in the batch
  u32 sequence = kNone;
  u32 position = kNone;
  u32 count = 0;  // values that follow
  u32 total = 0;  // values that there were: count < total says that the event was cut
  Point point = Point::kStepSeconds;
};

struct Event {
  EventHeader header;
  std::vector<f32> values;  // [header.count]
};

class Ring {
 public:
  // Events with more than `event_values_max` values are cut. The capacity is raised where one such
  // event would not fit. All memory is taken and touched here.
  explicit Ring(u64 capacity_bytes = u64(16) << 20, u32 event_values_max = 8192);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // The producer's side, one thread. Sets count and total from `total`, copies at most
  // event_values_max of `values`; false when the ring was full and the event was dropped.
  bool write(EventHeader header, const f32* values, u32 total);

  // The readers' side, any threads: the oldest unread event, or false when there is none.
  // `event` is reused, so a reader that keeps one allocates only while its events grow.
  bool read(Event& event);

  [[nodiscard]] u64 dropped() const { return dropped_.load(std::memory_order_relaxed); }
  [[nodiscard]] u64 capacity_bytes() const { return capacity_; }
  [[nodiscard]] u32 event_values_max() const { return event_values_max_; }

 private:
  void copy_in(u64 at, const void* from, u64 bytes);
  void copy_out(u64 at, void* to, u64 bytes) const;

  u32 event_values_max_;
  u64 capacity_;
  std::unique_ptr<u8[]> bytes_;
  std::mutex reading_;  // readers among themselves; the producer never takes it
  // Each side writes its own cache line, so that polling does not slow the producer.
  alignas(64) std::atomic<u64> head_{0};
  u64 tail_seen_ =
      0;  // the producer's last look at tail_: it asks again only when that is too little
  std::atomic<u64> dropped_{0};
  alignas(64) std::atomic<u64> tail_{0};
};

}  // namespace orrery::trace
