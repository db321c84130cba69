// Many prompts together: what `generate --prompts --batch` says is what each prompt says alone, and
// what transformers says of a batch that is padded on the left (tools/golden/left_padding.py).
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.h"

namespace orrery {
namespace {

using nlohmann::json;
using testing::Outcome;
using testing::read_file;
using testing::run_program;
using testing::TemporaryFolder;

const std::string kGolden = ORRERY_SOURCE_DIR "/tests/golden/";
const std::string kTiny = kGolden + "models/llama_f32/model.gguf";

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

std::string text_of(const std::vector<json>& lines) {
  std::string text;
  for (const json& line : lines) text += line.dump() + "\n";
  return text;
}

std::vector<json> replies(const std::string& model, const std::vector<json>& prompts,
                          const std::vector<std::string>& flags) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = {"generate", model, "--prompts",
                                        folder.write("prompts.jsonl", text_of(prompts))};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return lines_of(outcome.out);
}

class LeftPadding : public ::testing::TestWithParam<std::string> {};

// Transformers pads, masks and shifts positions; here every sequence begins at position 0.
TEST_P(LeftPadding, IsWhatPlainPositionsGive) {
  const std::vector<json> cases = lines_of(read_file(kGolden + "left_padding/" + GetParam()));
  ASSERT_EQ(cases.size(), 7u);
  std::vector<json> prompts;
  for (const json& one : cases) prompts.push_back({{"tokens", one["tokens"]}});
  const std::string model =
      kGolden + "models/" + GetParam().substr(0, GetParam().find('.')) + "/hf";
  for (const char* batch : {"1", "3", "16"}) {
    const std::vector<json> ours = replies(
        model, prompts, {"--exact", "--greedy", "--ignore-eos", "-n", "16", "--batch", batch});
    ASSERT_EQ(ours.size(), cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i)
      EXPECT_EQ(ours[i]["tokens"], cases[i]["next"]) << GetParam() << ", prompt " << i;
  }
}

std::vector<std::string> golden_batches() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(kGolden + "left_padding"))
    names.push_back(file.path().filename());
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, LeftPadding, ::testing::ValuesIn(golden_batches()),
                         [](const auto& test) {
                           return test.param.substr(0, test.param.find('.'));
                         });

// Lines of all lengths and settings, some of which end early, in any mixture.
TEST(Batch, GivesInOrderWhatEachLineGivesAlone) {
  const std::vector<json> prompts = {
      {{"prompt", "The moon"}, {"greedy", true}, {"max_tokens", 9}},
      {{"tokens", {5, 6, 7}}, {"temperature", 1.5}, {"seed", 7}, {"max_tokens", 20}},
      {{"prompt", "a"}, {"temperature", 0.9}, {"top_k", 5}, {"seed", 1}},
      {{"messages", {{{"role", "user"}, {"content", "Hello!"}}}}, {"greedy", true}},
      {{"prompt", "once upon a time there was"}, {"top_p", 0.5}, {"seed", 3}, {"max_tokens", 1}},
      {{"tokens", {5, 6, 7}}, {"temperature", 1.5}, {"seed", 7}, {"max_tokens", 20}},
  };
  const std::vector<json> alone =
      replies(kTiny, prompts, {"-n", "12", "--seed", "5", "--batch", "1"});
  ASSERT_EQ(alone.size(), prompts.size());
  EXPECT_EQ(alone[0]["tokens"].size(), 9u);
  EXPECT_EQ(alone[4]["tokens"].size(), 1u);
  EXPECT_EQ(alone[1], alone[5]);
  for (const char* batch : {"2", "4", "64"})
    EXPECT_EQ(replies(kTiny, prompts, {"-n", "12", "--seed", "5", "--batch", batch}), alone)
        << batch;
}

// One line that is wrong: which, and why; nothing is generated.
TEST(Batch, NamesTheLineThatIsWrong) {
  for (const char* wrong :
       {R"({})", R"({"prompt": 5})", R"({"tokens": [1, -1]})", R"({"tokens": []})",
        R"({"tokens": [99999]})", R"({"prompt": "a", "temprature": 1})",
        R"({"prompt": "a", "top_k": -1})", R"({"prompt": "a", "stop": [1]})", R"([])", "{"}) {
    const TemporaryFolder folder;
    const Outcome outcome =
        run_program({"generate", kTiny, "--prompts",
                     folder.write("p.jsonl", std::string("{\"prompt\": \"a\"}\n") + wrong + "\n")});
    EXPECT_NE(outcome.code, 0) << wrong;
    EXPECT_EQ(outcome.out, "") << wrong;
    EXPECT_NE(outcome.err.find(" 2: "), std::string::npos) << wrong << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

}  // namespace
}  // namespace orrery
