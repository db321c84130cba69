// Replies in pieces of every size: thoughts, calls in each form, and what only looks like them.
#include "text/reply_parser.h"

#include <gtest/gtest.h>

#include "text/tool_calls.h"

namespace orrery::text {
namespace {

struct Read {
  std::string content, reasoning;
  std::vector<ToolCall> calls;
};

// The reply in pieces of so many bytes.
Read read(std::string_view reply, u64 step, const ReplySyntax& syntax) {
  ReplyParser parser(syntax);
  Read out;
  std::vector<ReplyPart> parts;
  for (u64 i = 0; i < reply.size(); i += step) parser.push(reply.substr(i, step), parts);
  parser.finish(parts);
  for (const ReplyPart& part : parts) add_part(part, out.content, out.reasoning, out.calls);
  return out;
}

struct Case {
  std::string_view reply, content, reasoning, calls;
  ReplySyntax syntax = {.tools = true};
};

// However it comes in pieces, the same parts come out.
void check(const Case& one) {
  for (u64 step = 1; step <= one.reply.size(); ++step) {
    const Read out = read(one.reply, step, one.syntax);
    EXPECT_EQ(out.content, one.content) << "in pieces of " << step;
    EXPECT_EQ(out.reasoning, one.reasoning);
    std::string calls;
    for (const ToolCall& call : out.calls) calls += call.name + call.arguments + ";";
    EXPECT_EQ(calls, one.calls);
  }
}

TEST(ReplyParser, KeepsThoughtsApart) {
  check({"<think>\nHm.\n</think>\n\nYes.", "Yes.", "Hm.\n", ""});
  check({"Hm.</think>Yes.", "Yes.", "Hm.", "", {.begins_thinking = true}});
  check({"Yes <think>no</think>", "Yes <think>no</think>", "", ""});  // only at the beginning
  check({"<thin", "<thin", "", ""});
  check({"<think>never ends", "", "never ends", ""});
}

TEST(ReplyParser, ReadsCallsInJson) {
  check(
      {"I look.<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n"
       "<tool_call>{\"name\":\"g\"}</tool_call>",
       "I look.", "", "f{\"a\":1};g{};"});
  check({"<think>x</think><tool_call>{\"name\":\"f\",\"arguments\":\"{}\"}</tool_call>", "", "x",
         "f{};"});
  // The end mark may be missing when the reply was cut or stopped by it.
  check({"<tool_call>{\"name\":\"f\",\"arguments\":{}}", "", "", "f{};"});
}

TEST(ReplyParser, LeavesWhatIsNoCall) {
  check({"<tool_call>broken</tool_", "<tool_call>broken</tool_", "", ""});
  check(
      {"<tool_call>{\"name\": 5}</tool_call> x", "<tool_call>{\"name\": 5}</tool_call> x", "", ""});
  check({"a <tool_ca b", "a <tool_ca b", "", ""});
  check({"<tool_call>{}</tool_call>", "<tool_call>{}</tool_call>", "", "", {.tools = false}});
}

TEST(ReplyParser, ReadsCallsInTags) {
  check(
      {"<tool_call>\n<function=f>\n<parameter=city>\nParis, \"x\"\n</parameter>\n<parameter=n>\n"
       "5\n</parameter>\n</function>\n</tool_call>",
       "", "", "f{\"city\":\"Paris, \\\"x\\\"\",\"n\":5};"});
  check({"<tool_call>f\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>", "",
         "", "f{\"city\":\"Paris\"};"});
}

TEST(ReplyParser, KnowsTheSyntaxByTheTemplate) {
  ReplySyntax brackets = syntax_of_template("... [TOOL_CALLS] ...");
  brackets.tools = true;
  check({"[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\"}]", "", "",
         "f{};g{};", brackets});
  check({"So.[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}", "So.", "", "f{\"a\":1};g{};",
         brackets});
  const std::string list = std::string(kListBegin) + std::string(kCallBegin);
  ReplySyntax marked = syntax_of_template(list);
  marked.tools = true;
  const std::string end = std::string(kCallEnd) + std::string(kListEnd);
  check({list + "function" + std::string(kSeparator) + "f\n```json\n{\"a\": 1}\n```" + end, "", "",
         "f{\"a\":1};", marked});
  check({list + "g" + std::string(kSeparator) + "{}" + end, "", "", "g{};", marked});
}

TEST(ReplyParser, StandsDeepAndLongCalls) {
  const std::string deep = "<tool_call>" + std::string(100'000, '[') + "</tool_call>";
  ReplyParser parser({.tools = true});
  std::vector<ReplyPart> parts;
  parser.push(deep, parts);
  parser.finish(parts);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].text, deep);
}

}  // namespace
}  // namespace orrery::text
