// Every tokenizer against what its maker's library said (tests/golden/text, written by
// tools/golden/tokenizer_cases.py): ids, the tokens around them, decoded text, and the text that a
// Detokenizer makes of them piece by piece.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint/checkpoint.h"
#include "engine/text_loading.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using orrery::Result;
using orrery::text::Detokenizer;
using orrery::text::Special;
using orrery::text::TokenId;
using orrery::text::Tokenizer;

const fs::path kSource = ORRERY_SOURCE_DIR;
const fs::path kGolden = kSource / "tests/golden/text";

std::vector<json> lines_of(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::vector<json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

Result<std::unique_ptr<Tokenizer>> open(const fs::path& folder) {
  if (!fs::exists(folder / "model.gguf")) return Tokenizer::open(folder);
  TRY(const auto checkpoint, orrery::checkpoint::Checkpoint::open(folder / "model.gguf"));
  return orrery::engine::load_tokenizer(*checkpoint);
}

void expect_cases(const Tokenizer& tokenizer, const fs::path& cases) {
  static const std::vector<json> common = lines_of(kGolden / "texts.jsonl");
  const std::vector<json> lines = lines_of(cases);
  ASSERT_GT(lines.size(), 40u);
  const auto prefix = lines[0]["prefix"].get<std::vector<TokenId>>();
  const auto suffix = lines[0]["suffix"].get<std::vector<TokenId>>();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const json& line = lines[i];
    const json& key = line["text"];
    const std::string text = key.is_string() ? key : common[key.get<std::size_t>()];
    const auto ids = line["ids"].get<std::vector<TokenId>>();
    ASSERT_EQ(tokenizer.encode(text, Special::kNative, false), ids) << "case " << i << ": " << text;
    std::vector<TokenId> around = prefix;
    around.insert(around.end(), ids.begin(), ids.end());
    around.insert(around.end(), suffix.begin(), suffix.end());
    ASSERT_EQ(tokenizer.encode(text, Special::kNative, true), around) << "case " << i;
    const std::string decoded = line.value("decoded", text);
    ASSERT_EQ(tokenizer.decode(ids, true), decoded) << "case " << i << ": " << text;
    Detokenizer stream(tokenizer, true);
    std::string pieces;
    for (const TokenId id : ids) pieces += stream.push(id);
    pieces += stream.finish();
    ASSERT_EQ(pieces, decoded) << "case " << i;
  }
}

class RealTokenizer : public testing::TestWithParam<std::string> {};

TEST_P(RealTokenizer, DoesAsItsMakersLibrary) {
  const fs::path folder = kSource / ".cache/tokenizers" / GetParam();
  if (!fs::exists(folder)) GTEST_SKIP() << "run tools/fetch_tokenizers.py " << GetParam();
  const auto tokenizer = open(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  expect_cases(**tokenizer, kGolden / "real" / (GetParam() + ".jsonl"));
}

INSTANTIATE_TEST_SUITE_P(Golden, RealTokenizer,
                         testing::Values("mistral_7b", "llama3", "llama3_1", "qwen3", "deepseek_v3",
                                         "gptoss", "mistral_v1", "mistral_v3", "tekken", "smollm2"),
                         [](const auto& test) { return test.param; });

class MadeTokenizer : public testing::TestWithParam<std::string> {};

TEST_P(MadeTokenizer, DoesAsItsMakersLibrary) {
  const fs::path folder = kGolden / "made" / GetParam();
  const auto tokenizer = open(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  expect_cases(**tokenizer, folder / "cases.jsonl");
}

std::vector<std::string> made_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kGolden / "made")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Golden, MadeTokenizer, testing::ValuesIn(made_names()),
                         [](const auto& test) { return test.param; });

}  // namespace
