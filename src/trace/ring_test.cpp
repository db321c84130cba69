// Tests of the ring and the taps: order, cut events, drops, subscriptions, and a reader on another
// thread (run it under the tsan preset too).
#include "trace/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <type_traits>

#include "trace/tap.h"

namespace orrery::trace {
namespace {

EventHeader numbered(u64 step) {
  EventHeader header;
  header.step = step;
  header.point = Point::kResidual;
  return header;
}

TEST(Ring, EventsComeBackInOrderAndWholeAcrossTheWrap) {
  Ring ring(300, 20);  // no multiple of any event: headers and values are split by the wrap
  Event event;
  u64 read = 0;
  for (u64 step = 0; step < 500; ++step) {
    std::vector<f32> values(step % 21);
    std::iota(values.begin(), values.end(), f32(step));
    ASSERT_TRUE(ring.write(numbered(step), values.data(), u32(values.size())));
    if (step % 2 == 0) continue;  // two in the ring at a time
    for (; read <= step; ++read) {
      ASSERT_TRUE(ring.read(event));
      ASSERT_EQ(event.header.step, read);
      ASSERT_EQ(event.values.size(), read % 21);
      for (u32 i = 0; i < event.values.size(); ++i) ASSERT_EQ(event.values[i], f32(read + i));
    }
  }
  EXPECT_FALSE(ring.read(event));
  EXPECT_EQ(ring.dropped(), 0u);
}

TEST(Ring, AFullRingDropsTheNewAndCounts) {
  Ring ring(4 * (sizeof(EventHeader) + 10 * sizeof(f32)), 10);
  const std::vector<f32> values(10, 1.0f);
  for (u64 step = 0; step < 7; ++step)
    EXPECT_EQ(ring.write(numbered(step), values.data(), 10), step < 4);
  EXPECT_EQ(ring.dropped(), 3u);
  Event event;
  for (u64 step = 0; step < 4; ++step) {
    ASSERT_TRUE(ring.read(event));
    EXPECT_EQ(event.header.step, step);
  }
  EXPECT_FALSE(ring.read(event));
  EXPECT_TRUE(ring.write(numbered(7), values.data(), 10));  // there is room again
  ASSERT_TRUE(ring.read(event));
  EXPECT_EQ(event.header.step, 7u);
}

TEST(Ring, LongEventsAreCutAndSaySo) {
  Ring ring(0, 8);  // the capacity is raised until one event fits
  std::vector<f32> values(100);
  std::iota(values.begin(), values.end(), 0.0f);
  ASSERT_TRUE(ring.write(numbered(1), values.data(), 100));
  Event event;
  ASSERT_TRUE(ring.read(event));
  EXPECT_EQ(event.header.count, 8u);
  EXPECT_EQ(event.header.total, 100u);
  EXPECT_EQ(event.values, std::vector<f32>(values.begin(), values.begin() + 8));
}

TEST(Ring, AReaderOnAnotherThreadSeesEveryEventThatWasNotDropped) {
  constexpr u64 kEvents = 20000;
  Ring ring(4096, 64);
  std::atomic<bool> done{false};
  u64 seen = 0, wrong = 0, last = 0;
  std::thread reader([&] {
    Event event;
    for (bool last_look = false; !last_look;) {
      last_look = done.load();
      while (ring.read(event)) {
        ++seen;
        wrong += event.header.step <= last;
        last = event.header.step;
        wrong += event.values.size() != event.header.step % 65;
        for (const f32 value : event.values) wrong += value != f32(event.header.step);
      }
      std::this_thread::yield();
    }
  });
  u64 written = 0;
  std::vector<f32> values(64);
  for (u64 step = 1; step <= kEvents; ++step) {
    std::fill(values.begin(), values.end(), f32(step));
    written += ring.write(numbered(step), values.data(), u32(step % 65));
    if (step % 64 == 0) std::this_thread::yield();
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(seen, written);
  EXPECT_EQ(written + ring.dropped(), kEvents);
}

TEST(Ring, SeveralReadersShareTheEventsAmongThem) {
  constexpr u64 kEvents = 5000;
  Ring ring(u64(1) << 20, 4);
  for (u64 step = 0; step < kEvents; ++step) ASSERT_TRUE(ring.write(numbered(step), nullptr, 0));
  std::atomic<u64> sum{0}, seen{0};
  const auto drain = [&] {
    for (Event event; ring.read(event); ++seen) sum += event.header.step;
  };
  std::thread other(drain);
  drain();
  other.join();
  EXPECT_EQ(seen, kEvents);
  EXPECT_EQ(sum, kEvents * (kEvents - 1) / 2);
}

TEST(Tap, OffIsEmptyAndKnownAtCompileTime) {
  static_assert(std::is_empty_v<TapOff>);
  static_assert(!TapOff::kOn && TapOn::kOn);
  static_assert(!TapOff::wants(Point::kLogits, 0));
  static_assert((TapOff::values(Point::kLogits, 0, 0, nullptr, 0), true));
  static_assert((TapOff::number(Point::kStepSeconds, 0, 0, 0), true));
}

TEST(Tap, OnlyWhatIsSubscribedGoesIntoTheRing) {
  Ring ring;
  TapOn tap(ring);
  const TapRow rows[] = {{7, 100, false}, {7, 101, true}, {9, 5, true}};
  const f32 values[] = {1, 2, 3};
  tap.begin_step(42, {bit(Point::kResidual) | bit(Point::kStepSeconds), Rows::kLogits}, rows);
  for (u32 row = 0; row < 3; ++row) {
    tap.values(Point::kResidual, 4, row, values, 3);
    tap.values(Point::kQuery, 4, row, values, 3);
  }
  tap.number(Point::kStepSeconds, kNone, kNone, 0.25);

  Event event;
  for (u32 row : {1u, 2u}) {
    ASSERT_TRUE(ring.read(event));
    EXPECT_EQ(event.header.point, Point::kResidual);
    EXPECT_EQ(event.header.step, 42u);
    EXPECT_EQ(event.header.layer, 4u);
    EXPECT_EQ(event.header.row, row);
    EXPECT_EQ(event.header.sequence, rows[row].sequence);
    EXPECT_EQ(event.header.position, rows[row].position);
    EXPECT_EQ(event.values, (std::vector<f32>{1, 2, 3}));
  }
  ASSERT_TRUE(ring.read(event));
  EXPECT_EQ(event.header.number, 0.25);
  EXPECT_EQ(event.header.sequence, kNone);
  EXPECT_FALSE(ring.read(event));

  tap.begin_step(43, {kAllPoints, Rows::kAll}, rows);
  tap.values(Point::kQuery, 0, 0, values, 3);
  ASSERT_TRUE(ring.read(event));
  EXPECT_EQ(event.header.position, 100u);
  tap.begin_step(44, {}, rows);
  tap.values(Point::kQuery, 0, 1, values, 3);
  EXPECT_FALSE(ring.read(event));
}

}  // namespace
}  // namespace orrery::trace
