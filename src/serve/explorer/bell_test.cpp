// Tests of the Bell and of the Feed that rings it: nothing that was pushed stays unseen.
#include "serve/explorer/bell.h"

#include <gtest/gtest.h>

#include <thread>

#include "serve/explorer/feed.h"

namespace orrery::serve {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLong{20};

TEST(Bell, DoesNotSleepWhenItHasRungSinceTheLook) {
  Bell bell;
  const u64 seen = bell.count();
  bell.ring();
  const auto begin = Clock::now();
  bell.wait(seen, begin + kLong);
  EXPECT_LT(Clock::now() - begin, kLong / 2);
}

TEST(Bell, SleepsUntilItsTimeWhenNothingRings) {
  Bell bell;
  const auto until = Clock::now() + std::chrono::milliseconds(20);
  bell.wait(bell.count(), until);
  EXPECT_GE(Clock::now(), until);
}

// The teller looks, sleeps, looks again. One lost wake-up and it sleeps on while the pusher waits
// for it, for kLong.
TEST(Bell, AFeedIsReadToItsEndHoweverThePushesFall) {
  Bell bell;
  Feed feed(bell);
  constexpr u64 kFrames = 20'000;
  std::atomic<u64> read = 0;
  std::thread teller([&] {
    for (u64 cursor = 0; cursor < kFrames; read = cursor) {
      const u64 seen = bell.count();
      const Feed::Piece piece = feed.read(cursor, 1 << 20);
      cursor = piece.cursor;
      if (piece.frames.empty()) bell.wait(seen, Clock::now() + kLong);
    }
  });
  const auto begin = Clock::now();
  for (u64 i = 1; i <= kFrames; ++i) {
    feed.push(Frame{.run = 1, .payload = {}});
    // Now in the middle of a look, now before a sleep, now in it.
    if (i % 3 == 0)
      while (read < i && Clock::now() - begin < kLong) std::this_thread::yield();
    if (i % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  teller.join();
  EXPECT_EQ(read, kFrames);
  EXPECT_LT(Clock::now() - begin, kLong);
}

TEST(Feed, SaysWhatWasOverwritten) {
  Bell bell;
  Feed feed(bell);
  const std::string payload(1 << 20, 'x');
  for (u32 i = 0; i < 20; ++i) feed.push(Frame{.step = i, .payload = payload});
  const Feed::Piece piece = feed.read(2, 1);
  EXPECT_EQ(piece.lost_from, 3u);
  ASSERT_EQ(piece.frames.size(), 1u);
  EXPECT_EQ(piece.frames[0].first, piece.lost_to + 1);
  EXPECT_EQ(piece.frames[0].second.step, piece.lost_to);  // the first frame is number 1, step 0
  EXPECT_EQ(feed.lag(2), 1);
  EXPECT_EQ(feed.lag(feed.newest()), 0);
  EXPECT_EQ(bell.count(), 20u);
}

}  // namespace
}  // namespace orrery::serve
