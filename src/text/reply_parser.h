// ReplyParser: takes a chat's reply apart as it grows: thoughts, text, calls of tools.
//
// Models mark their thoughts with <think> and write calls of tools in a syntax that they have
// learnt. What could still become the beginning of a mark is held back, so that no caller sees half
// of one. What looks like a call and is none stays text: nothing is dropped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace orrery::text {

struct ReplyPart {
  enum Kind : u8 { kContent, kReasoning, kCall, kArguments };
  Kind kind = kContent;
  u32 call = 0;      // which call, from 0
  std::string text;  // of kCall the function's name, of kArguments a piece of their JSON
};

struct ToolCall {
  std::string name, arguments;
};

// Puts a part where it belongs.
void add_part(const ReplyPart& part, std::string& content, std::string& reasoning,
              std::vector<ToolCall>& calls);

struct ReplySyntax {
  bool begins_thinking = false;  // the prompt has opened the thoughts
  bool tools = false;            // calls are looked for
  // What stands around calls; no end: they go to the end of the reply.
  std::string call_open = "<tool_call>", call_close = "</tool_call>";
};

// The way in which a model whose chat template this is has learnt to write calls.
[[nodiscard]] ReplySyntax syntax_of_template(std::string_view source);

// Whether a control token of this name belongs to a call; its text must reach the parser, although
// control tokens are left out of a reply.
[[nodiscard]] bool is_call_mark(std::string_view token);

class ReplyParser {
 public:
  explicit ReplyParser(const ReplySyntax& syntax)
      : syntax_(syntax), state_(syntax.begins_thinking ? State::kThoughts : State::kStart) {}

  // Takes new text and appends the parts that it completes.
  void push(std::string_view text, std::vector<ReplyPart>& out);
  // What was held back.
  void finish(std::vector<ReplyPart>& out);
  [[nodiscard]] bool is_thinking() const { return state_ == State::kThoughts; }

 private:
  enum class State : u8 { kStart, kThoughts, kText, kCall };
  bool step(std::vector<ReplyPart>& out, bool last);
  bool start(std::vector<ReplyPart>& out, bool last);
  bool until(std::string_view mark, ReplyPart::Kind kind, State next, std::vector<ReplyPart>& out,
             bool last);
  bool call(std::vector<ReplyPart>& out, bool last);
  void emit(ReplyPart::Kind kind, std::string_view text, std::vector<ReplyPart>& out);

  ReplySyntax syntax_;
  State state_;
  std::string held_;
  u32 calls_ = 0;
  bool trim_ = false;  // blanks at the beginning of the next part do not count
};

}  // namespace orrery::text
