// Tests of LogitReader against plain loops in float64 over the whole row.
#include "engine/logit_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace orrery::engine {
namespace {

struct Plain {
  f64 log_sum = 0, entropy = 0;
  std::vector<i32> order;  // of ids, best first
};

Plain plain(const std::vector<f32>& logits) {
  Plain result;
  const f64 max = *std::max_element(logits.begin(), logits.end());
  f64 sum = 0;
  for (const f32 x : logits) sum += std::exp(f64(x) - max);
  result.log_sum = max + std::log(sum);
  for (const f32 x : logits) {
    const f64 log_p = f64(x) - result.log_sum;
    if (std::isfinite(log_p)) result.entropy -= std::exp(log_p) * log_p;
  }
  for (u64 i = 0; i < logits.size(); ++i) result.order.push_back(i32(i));
  std::stable_sort(result.order.begin(), result.order.end(),
                   [&](i32 a, i32 b) { return logits[u32(a)] > logits[u32(b)]; });
  return result;
}

void check(const std::vector<f32>& logits) {
  const kernels::Kernels kernels = *kernels::resolve_from_environment();
  const Plain wanted = plain(logits);
  f64 first_sum = 0, first_entropy = 0;
  for (const u32 threads : {1u, 2u, 3u}) {
    ThreadTeam team(threads);
    LogitReader reader(kernels, team);
    for (u32 round = 0; round < 2; ++round) reader.read(logits);
    if (threads == 1) {
      first_sum = reader.log_sum();
      first_entropy = reader.entropy();
    }
    EXPECT_EQ(reader.log_sum(), first_sum) << "threads change a bit";
    EXPECT_EQ(reader.entropy(), first_entropy) << "threads change a bit";
    EXPECT_NEAR(reader.log_sum(), wanted.log_sum, 1e-6 * std::max(1.0, std::abs(wanted.log_sum)));
    EXPECT_NEAR(reader.entropy(), wanted.entropy, 2e-6 * std::max(1.0, wanted.entropy));
    std::vector<LogitReader::Best> best(20);
    const u32 count = reader.best(best);
    ASSERT_EQ(count, std::min<u64>(20, logits.size()));
    for (u32 i = 0; i < count; ++i) {
      EXPECT_EQ(best[i].id, wanted.order[i]) << "place " << i << " of " << logits.size();
      EXPECT_EQ(best[i].logit, logits[u32(best[i].id)]);
    }
    for (const u64 place : {u64(0), logits.size() / 3, logits.size() - 1}) {
      const f32 logit = logits[u32(wanted.order[place])];
      const auto above =
          std::count_if(logits.begin(), logits.end(), [&](f32 other) { return other > logit; });
      EXPECT_EQ(reader.rank(logit), u32(above));
    }
  }
}

std::vector<f32> random_logits(u64 count, f32 spread, u32 seed) {
  std::mt19937 random(seed);
  std::normal_distribution<f32> normal(-3, spread);
  std::vector<f32> logits(count);
  for (f32& x : logits) x = normal(random);
  return logits;
}

TEST(LogitReader, RowsOfManyLengths) {
  for (const u64 count : {1, 2, 19, 127, 128, 129, 1000, 1024, 1025, 5000, 49152})
    check(random_logits(count, 4, u32(count)));
}

TEST(LogitReader, PeakedFlatAndFar) {
  check(random_logits(4000, 40, 1));
  check(std::vector<f32>(3000, 7.5f));  // all equal: log(3000) nats, the smaller ids first
  std::vector<f32> peaked = random_logits(4000, 1, 2);
  peaked[3999] = 60;
  check(peaked);
  std::vector<f32> far(4000, -1e4f);
  far[2048] = 1e4f;
  check(far);
}

TEST(LogitReader, ImpossibleTokensCountNothing) {
  constexpr f32 kNever = -std::numeric_limits<f32>::infinity();
  std::vector<f32> logits = random_logits(5000, 4, 3);
  for (u64 i = 0; i < 2048; ++i) logits[i] = kNever;  // whole blocks
  for (u64 i = 2048; i < logits.size(); i += 3) logits[i] = kNever;
  check(logits);
}

TEST(LogitReader, TiesGoToTheSmallerId) {
  std::vector<f32> logits(4000, 0);
  for (u64 i = 0; i < logits.size(); i += 7) logits[i] = 1;
  for (u64 i = 3; i < logits.size(); i += 1000) logits[i] = 2;
  check(logits);
}

}  // namespace
}  // namespace orrery::engine
