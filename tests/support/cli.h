// What tests of the program share: the tiny model in both forms, and how a run ended.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.h"

namespace orrery::testing {

using nlohmann::json;

inline const std::string kModels = ORRERY_SOURCE_DIR "/tests/golden/models/";
inline const std::string kTiny = kModels + "llama_f32/model.gguf";
inline const std::string kFolder = kModels + "llama_f32/hf";

inline json golden() { return json::parse(read_file(kModels + "llama_f32/expected.json")); }

inline std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

inline void expect_ok(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}
inline void expect_error(const Outcome& outcome, int code, std::string_view part) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("orrery: error: ")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
}

}  // namespace orrery::testing
