// What starting the default model costs: memory and time of a whole process that says one token.
//
// A program of its own, because a child's peak memory counts its parent's at the fork: this parent
// loads nothing before it asks.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "forward/kv_cache.h"
#include "model/weights.h"

namespace orrery {
namespace {

namespace fs = std::filesystem;

fs::path model_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path base = cache && *cache ? fs::path(cache) : fs::path(home ? home : "") / ".cache";
  return base / "orrery/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

f64 seconds_to_first_token() {
  const std::string command = std::string(ORRERY_PROGRAM) + " generate '" + model_path().string() +
                              "' --prompt Hello --greedy --max-tokens 1 --ctx 512 > /dev/null";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(std::system(command.c_str()), 0) << "./dev test fetches the model";
  return std::chrono::duration<f64>(std::chrono::steady_clock::now() - start).count();
}

TEST(Start, PeakMemoryIsPackedWeightsKvAnd64MiB) {
  (void)seconds_to_first_token();
  struct rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto checkpoint = checkpoint::Checkpoint::open(model_path());
  ASSERT_TRUE(checkpoint);
  const auto description = model::describe(**checkpoint);
  ASSERT_TRUE(description);
  const auto plan = model::plan_binding(**checkpoint, *description, {});
  ASSERT_TRUE(plan);
  const u64 kv = 512 * forward::kv_bytes_per_token(description->spec, kernels::KvFormat::kF16);
  // The file's own pages are the page cache's and counted apart.
  EXPECT_LE(u64(usage.ru_maxrss) * 1024,
            plan->bytes + kv + (u64(64) << 20) + (*checkpoint)->file_bytes());
}

TEST(Start, FirstTokenComesWithin350MillisecondsOfAWarmStart) {
  f64 best = 1e9;  // the machine's noise only adds
  for (int i = 0; i < 5; ++i) best = std::min(best, seconds_to_first_token());
  EXPECT_LE(best, 0.35);
}

}  // namespace
}  // namespace orrery
