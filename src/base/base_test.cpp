// Tests of the base room: half-precision conversions over all patterns, formats, the thread team.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "base/half.h"
#include "base/huge_buffer.h"
#include "base/thread_team.h"

namespace orrery {
namespace {

TEST(Error, IsOneLineWhateverItQuotes) {
  EXPECT_EQ(fail("{}", "a\nb\x1b[31mc\n").value().message, "a b [31mc");
  EXPECT_EQ(at("x\ny", Error{"z"}).value().message, "x y: z");
  const std::string cut = fail("{}{}", std::string(999, 'x'), "é and more").value().message;
  EXPECT_EQ(cut, std::string(999, 'x') + "…");
}

TEST(Half, EveryPatternOfF16ComesBack) {
  for (u32 bits = 0; bits < 65536; ++bits) {
    const f32 value = f32_from_f16(u16(bits));
    const u16 back = f16_from_f32(value);
    if (std::isnan(value))
      EXPECT_TRUE((back & 0x7c00) == 0x7c00 && (back & 0x3ff));
    else
      EXPECT_EQ(back, bits);
#if defined(__FLT16_MAX__)
    if (!std::isnan(value)) {
      EXPECT_EQ(value, f32(std::bit_cast<_Float16>(u16(bits))));
    }
#endif
  }
}

TEST(Half, F16RoundsToNearestEvenLikeTheCompiler) {
#if defined(__FLT16_MAX__)
  for (u64 i = 0; i < (u64(1) << 32); i += 9973) {
    const f32 value = std::bit_cast<f32>(u32(i));
    if (std::isnan(value)) continue;
    ASSERT_EQ(f16_from_f32(value), std::bit_cast<u16>(static_cast<_Float16>(value))) << value;
  }
#endif
}

TEST(Half, Bf16RoundsToNearestEven) {
  EXPECT_EQ(bf16_from_f32(1.0f), 0x3f80);
  EXPECT_EQ(bf16_from_f32(std::bit_cast<f32>(0x3f808000u)), 0x3f80);  // tie to even
  EXPECT_EQ(bf16_from_f32(std::bit_cast<f32>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(bf16_from_f32(std::bit_cast<f32>(0x7f7fffffu)), 0x7f80);  // overflows to infinity
  EXPECT_TRUE(std::isnan(f32_from_bf16(bf16_from_f32(NAN))));
}

TEST(FormatTable, RowBytesAreExactAndRefuseParts) {
  EXPECT_EQ(row_bytes(Format::kQ4_1, 576), 18 * 20u);
  EXPECT_EQ(row_bytes(Format::kQ4_K, 576), std::nullopt);
  EXPECT_EQ(row_bytes(Format::kF64, u64(1) << 62), std::nullopt);
  EXPECT_EQ(format_from_gguf(14), Format::kQ6_K);
  EXPECT_EQ(format_from_gguf(4), std::nullopt);
  EXPECT_EQ(name(Format::kIQ4_XS), "IQ4_XS");
}

TEST(ThreadTeam, EveryMemberRunsAndBarriersOrderTheirWrites) {
  for (u32 size : {1u, 2u, 3u, 5u}) {
    ThreadTeam team(size);
    for (u32 round = 0; round < 200; ++round) {
      std::vector<u32> slots(size, 0);
      std::atomic<u32> wrong{0};
      team.run([&](Worker& worker) {
        slots[worker.index()] = worker.index() + 1;
        worker.barrier();
        u32 sum = 0;
        for (u32 slot : slots) sum += slot;
        if (sum != size * (size + 1) / 2) ++wrong;
      });
      ASSERT_EQ(wrong.load(), 0u);
    }
  }
}

TEST(ThreadTeam, SharesCoverEverythingOnceAtTheGrain) {
  for (u32 size : {1u, 2u, 3u, 7u}) {
    ThreadTeam team(size);
    for (u64 count : {0u, 1u, 5u, 16u, 17u, 1000u})
      for (u64 grain : {1u, 16u}) {
        u64 next = 0;
        for (u32 i = 0; i < size; ++i) {
          const Range range = Worker(team, i).share(count, grain);
          EXPECT_EQ(range.begin, next);
          EXPECT_TRUE(range.begin % grain == 0 || range.size() == 0);
          next = range.end;
        }
        EXPECT_EQ(next, count);
      }
  }
}

// Every number exactly once, whoever is late: also with several calls between two barriers.
TEST(ThreadTeam, PiecesCoverEverythingOnce) {
  for (u32 size : {1u, 2u, 3u, 7u}) {
    ThreadTeam team(size);
    for (u32 round = 0; round < 100; ++round) {
      const u64 counts[] = {0, 1, round, 1000, 37};
      std::vector<std::atomic<u8>> done[std::size(counts)];
      for (u32 i = 0; i < std::size(counts); ++i) done[i] = std::vector<std::atomic<u8>>(counts[i]);
      std::atomic<u32> wrong{0};
      team.run([&](Worker& worker) {
        for (u32 i = 0; i < std::size(counts); ++i) {
          if ((round + i) % size == worker.index() && round % 16 == 0)
            std::this_thread::sleep_for(std::chrono::microseconds(200));
          worker.pieces(counts[i], 1 + round % 20, [&](Range range) {
            for (u64 n = range.begin; n < range.end; ++n) ++done[i][n];
          });
          if ((round + i) % 3 == 0) worker.barrier();
        }
        worker.barrier();
        for (const auto& numbers : done)
          for (const auto& times : numbers) wrong += times != 1;
      });
      ASSERT_EQ(wrong.load(), 0u) << size << " members, round " << round;
    }
  }
}

// A member that is held up is not waited for by those who could do its work.
TEST(ThreadTeam, NeighboursTakeWhatALateMemberLeaves) {
  ThreadTeam team(2);
  u32 begun = 0;
  team.run([&](Worker& worker) {
    if (worker.index() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    worker.pieces(1000, 1, [&](Range) { begun += worker.index() == 0; });
  });
  EXPECT_EQ(begun, 16u);
}

TEST(ThreadTeam, WakesAfterItSlept) {
  ThreadTeam team(2);
  std::atomic<u32> count{0};
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    team.run([&](Worker&) { ++count; });
  }
  EXPECT_EQ(count.load(), 6u);
}

TEST(HugeBuffer, IsAlignedZeroedAndRefusesTheAbsurd) {
  auto buffer = HugeBuffer::allocate(u64(5) << 20);
  ASSERT_TRUE(buffer);
  EXPECT_EQ(std::uintptr_t(buffer->data()) % (2u << 20), 0u);
  for (u64 i = 0; i < buffer->size_bytes(); i += 4096) EXPECT_EQ(buffer->data()[i], 0);
  EXPECT_FALSE(HugeBuffer::allocate(~u64(0)));
  EXPECT_FALSE(HugeBuffer::allocate(u64(1) << 60));
}

}  // namespace
}  // namespace orrery
