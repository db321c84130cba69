// The program from outside: `tokenize` and `template`.
#include "support/cli.h"
#include "support/terminal.h"

namespace orrery {
namespace {

using nlohmann::json;
using testing::expect_error;
using testing::expect_ok;
using testing::kFolder;
using testing::kTiny;
using testing::lines_of;
using testing::Outcome;
using testing::run_program;
using testing::TemporaryFolder;
using testing::Terminal;

TEST(Tokenize, AnswersLinesFromGgufFolderAndTokenizerAlone) {
  const TemporaryFolder alone;
  std::filesystem::copy_file(kFolder + "/tokenizer.json", alone.path() / "tokenizer.json");
  const json texts = {"", "Hello, world!", "月亮 é 🪐\n\n", "<s>user: hi</s>", "a  b\tc"};
  std::string in;
  for (const json& text : texts) in += json{{"text", text}}.dump() + "\n";
  std::string first;
  for (const std::string& model :
       {kTiny, kFolder, alone.path().string(), alone.path().string() + "/tokenizer.json"}) {
    const Outcome outcome = run_program({"tokenize", model, "--jsonl", "-"}, in);
    expect_ok(outcome);
    const auto answers = lines_of(outcome.out);
    ASSERT_EQ(answers.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(answers[i]["decoded"], texts[i]) << model;
    EXPECT_EQ(answers[3]["ids"].front(), 1);  // <s>, recognised in the text
    EXPECT_TRUE(answers[0]["ids"].empty());
    if (first.empty()) first = outcome.out;
    EXPECT_EQ(outcome.out, first) << model;
  }
}

TEST(Tokenize, ShowsPeopleThePieces) {
  const Outcome outcome = run_program({"tokenize", kTiny, "Hi the\x1b\n"});
  expect_ok(outcome);
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
  EXPECT_NE(outcome.out.find("<1b>"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("tokens"), std::string::npos);
  const Outcome two = run_program({"tokenize", kTiny, "Hi the", "--against", kFolder});
  expect_ok(two);
  EXPECT_NE(two.out.find(" │ "), std::string::npos);
}

TEST(Tokenize, NamesTheLineThatIsWrong) {
  expect_error(
      run_program({"tokenize", kTiny, "--jsonl", "-"}, "{\"text\":\"a\"}\n\n{\"text\":7}\n"), 1,
      "stdin, line 3");
}

TEST(Template, RendersChatsOfEveryKindOfModel) {
  const std::string in =
      R"({"messages":[{"role":"user","content":"Hi"}],"add_generation_prompt":true})"
      "\n"
      R"({"messages":[{"role":"user","content":"Hi"}]})"
      "\n"
      R"({"messages":[],"template":"{{ bos_token }}{{ name }}{{ tools is none }}","kwargs":{"name":"Io"}})"
      "\n"
      R"({"messages":[],"template":"{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"})"
      "\n"
      R"({"messages":[],"template":"{{ raise_exception('no') }}"})"
      "\n";
  for (const std::string& model : {kTiny, kFolder}) {
    const Outcome outcome = run_program({"template", model, "--jsonl", "-"}, in);
    expect_ok(outcome);
    const auto answers = lines_of(outcome.out);
    ASSERT_EQ(answers.size(), 5u);
    EXPECT_EQ(answers[0], (json{{"rendered", "<s>user: Hi</s><s>assistant:"}}));
    EXPECT_EQ(answers[1], (json{{"rendered", "<s>user: Hi</s>"}}));
    EXPECT_EQ(answers[2], (json{{"rendered", "<s>IoTrue"}}));
    EXPECT_TRUE(answers[3].contains("error")) << answers[3];
    EXPECT_NE(answers[4].value("error", "").find("no"), std::string::npos) << answers[4];
  }
}

TEST(Template, ShowsAChat) {
  const Outcome outcome = run_program({"template", kTiny, "--system", "S", "-m", "Hi", "-m", "Yo"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "orrery: note: the template ignores tools\n");
  EXPECT_NE(outcome.out.find("<s>system: S</s><s>user: Hi</s><s>assistant: Yo</s><s>assistant:"),
            std::string::npos)
      << outcome.out;
}

// Which tokens a person wrote and which the template; a message never becomes a control token.
TEST(Template, TellsWhereEachTokenComesFrom) {
  const Outcome outcome = run_program({"template", kTiny, "-m", "a</s>", "--tokens"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string of_message;
  u32 controls = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, id, origin, piece;
    words >> number >> id >> origin >> piece;
    if (origin == "message") {
      of_message += piece;
      EXPECT_GT(std::stoi(id), 2) << line;
    } else {
      controls += origin == "control";
      EXPECT_TRUE(origin == "control" || origin == "template") << line;
    }
  }
  EXPECT_EQ(of_message, "·a</s>") << outcome.out;
  EXPECT_EQ(controls, 3u) << outcome.out;  // <s>user: a</s></s><s>assistant:
}

// The same in colours: control tokens on one ground, and only those of the template.
TEST(Template, ShowsOriginsAsGroundsOnATerminal) {
  const TemporaryFolder home;
  Terminal terminal({"template", kTiny, "-m", "a</s>", "--tokens"}, home.path());
  EXPECT_EQ(terminal.wait_for_end(), 0) << terminal.screen();
  const auto count = [&](std::string_view text) {
    u32 found = 0;
    for (auto at = terminal.screen().find(text); at != std::string::npos;
         at = terminal.screen().find(text, at + 1))
      ++found;
    return found;
  };
  constexpr std::string_view kControl = "\x1b[30;48;5;210m";
  EXPECT_EQ(count(std::string(kControl) + "<s>"), 2u) << terminal.screen();
  EXPECT_EQ(count(std::string(kControl) + "</s>"), 1u) << terminal.screen();
  EXPECT_EQ(count(kControl), 4u) << "three and the legend's: " << terminal.screen();
  for (const char* legend :
       {" control token of the template ", " the template's text ", " a message "})
    EXPECT_EQ(count(legend), 1u) << terminal.screen();
}

TEST(Template, TakesToolsAndVariables) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", testing::read_file(kFolder + "/tokenizer.json"));
  folder.write("chat_template.jinja", "{{ tools[0].name }} {{ mood }} {{ messages[0].content }}");
  const std::string tools = folder.write("tools.json", R"([{"name": "look_up"}])");
  const Outcome outcome = run_program(
      {"template", folder.path(), "-m", "Hi", "--tools", tools, "--kwargs", R"({"mood": "calm"})"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "look_up calm Hi\n");
  expect_error(run_program({"template", folder.path(), "--kwargs", "[1"}), 1, "--kwargs");
  expect_error(run_program({"template", folder.path(), "--kwargs", "[1]"}), 1, "object");
  expect_error(
      run_program({"template", folder.path(), "--tools", folder.write("broken.json", "{")}), 1,
      "broken.json");
}

}  // namespace
}  // namespace orrery
