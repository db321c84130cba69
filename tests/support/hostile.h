// HostileCase: files that lie, and how to call the program on them. Whatever they hold, it ends
// with one line that says what is wrong, an exit code from 1 to 125, less than 512 MiB, less than
// 10 seconds, and never a crash.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "support/process.h"

namespace orrery::testing {

using Arguments = std::vector<std::string>;

struct HostileCase {
  std::string name;
  std::function<Arguments(const TemporaryFolder&)> prepare;  // writes its files into the folder
};

inline const std::string kGoldenModels = ORRERY_SOURCE_DIR "/tests/golden/models/";

inline Arguments generate_with(const TemporaryFolder& folder, const std::string& model) {
  return {"generate",     model, "--tokens", folder.write("ids.json", "[1, 2, 3]"),
          "--max-tokens", "1"};
}

inline void expect_one_clear_line(const HostileCase& hostile) {
  const TemporaryFolder folder;
  const Arguments arguments = hostile.prepare(folder);
  if (::testing::Test::HasFailure()) return;
  const Outcome outcome = run_program({arguments, "", {}, "", 20});
  EXPECT_EQ(outcome.signal, 0) << outcome.err;
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_GE(outcome.code, 1) << outcome.out;
  EXPECT_LE(outcome.code, 125);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("orrery: error: ")) << outcome.err;
  EXPECT_GT(outcome.err.size(), std::string("orrery: error: \n").size());
  EXPECT_LT(outcome.err.size(), 2000u) << outcome.err;
  for (const char c : outcome.err) EXPECT_TRUE(u8(c) >= 0x20 || c == '\n') << outcome.err;
  EXPECT_LT(outcome.memory_bytes, u64(512) << 20);
  EXPECT_LT(outcome.seconds, 10.0);
}

inline std::string name_of_case(const ::testing::TestParamInfo<HostileCase>& test) {
  return test.param.name;
}

}  // namespace orrery::testing
