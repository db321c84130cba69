#include "text/reply_parser.h"

#include <algorithm>

#include "text/tool_calls.h"

namespace orrery::text {
namespace {

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kBlanks = " \t\r\n";

// Length of the longest end of `text` that begins `mark`.
u64 open_suffix(std::string_view text, std::string_view mark) {
  for (u64 n = std::min(text.size(), mark.size() - 1); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return n;
  return 0;
}

}  // namespace

ReplySyntax syntax_of_template(std::string_view source) {
  ReplySyntax syntax;
  if (source.find(kListBegin) != source.npos) {
    syntax.call_open = kListBegin;
    syntax.call_close = kListEnd;
  } else if (source.find(kBracket) != source.npos) {
    syntax.call_open = kBracket;
    syntax.call_close = "";
  }
  return syntax;
}

bool is_call_mark(std::string_view token) {
  return token == kListBegin || token == kListEnd || token == kBracket ||
         token == kBracketArguments || token == kCallBegin || token == kCallEnd ||
         token == kSeparator;
}

void add_part(const ReplyPart& part, std::string& content, std::string& reasoning,
              std::vector<ToolCall>& calls) {
  switch (part.kind) {
    case ReplyPart::kContent:
      content += part.text;
      break;
    case ReplyPart::kReasoning:
      reasoning += part.text;
      break;
    case ReplyPart::kCall:
      calls.push_back({.name = part.text, .arguments = ""});
      break;
    case ReplyPart::kArguments:
      calls[part.call].arguments += part.text;
      break;
  }
}

void ReplyParser::emit(ReplyPart::Kind kind, std::string_view text, std::vector<ReplyPart>& out) {
  if (trim_) {
    const u64 first = std::min(text.find_first_not_of(kBlanks), text.size());
    text.remove_prefix(first);
  }
  if (text.empty()) return;
  trim_ = false;
  if (!out.empty() && out.back().kind == kind)
    out.back().text += text;
  else
    out.push_back({kind, 0, std::string(text)});
}

void ReplyParser::push(std::string_view text, std::vector<ReplyPart>& out) {
  held_ += text;
  while (step(out, false)) {
  }
}

void ReplyParser::finish(std::vector<ReplyPart>& out) {
  while (step(out, true)) {
  }
}

// Goes as far as a state can; true: another may go on.
bool ReplyParser::step(std::vector<ReplyPart>& out, bool last) {
  switch (state_) {
    case State::kStart:
      return start(out, last);
    case State::kThoughts:
      return until(kThinkEnd, ReplyPart::kReasoning, State::kText, out, last);
    case State::kCall:
      return call(out, last);
    case State::kText:
      break;
  }
  if (syntax_.tools) return until(syntax_.call_open, ReplyPart::kContent, State::kCall, out, last);
  emit(ReplyPart::kContent, held_, out);
  held_.clear();
  return false;
}

// Thoughts may be opened by the reply itself, but at its beginning only.
bool ReplyParser::start(std::vector<ReplyPart>& out, bool last) {
  (void)out;
  const u64 first = held_.find_first_not_of(kBlanks);
  const std::string_view text =
      first == held_.npos ? std::string_view() : std::string_view(held_).substr(first);
  if (text.starts_with(kThink)) {
    held_.erase(0, first + kThink.size());
    state_ = State::kThoughts;
    trim_ = true;
    return true;
  }
  if (!last && kThink.starts_with(text)) return false;
  state_ = State::kText;
  return true;
}

bool ReplyParser::until(std::string_view mark, ReplyPart::Kind kind, State next,
                        std::vector<ReplyPart>& out, bool last) {
  const u64 at = held_.find(mark);
  if (at == held_.npos) {
    const u64 keep = last ? 0 : open_suffix(held_, mark);
    emit(kind, std::string_view(held_).substr(0, held_.size() - keep), out);
    held_.erase(0, held_.size() - keep);
    return false;
  }
  emit(kind, std::string_view(held_).substr(0, at), out);
  held_.erase(0, at + mark.size());
  state_ = next;
  trim_ = next == State::kText;
  return true;
}

bool ReplyParser::call(std::vector<ReplyPart>& out, bool last) {
  const bool open_ended = syntax_.call_close.empty();
  const u64 end = open_ended ? held_.npos : held_.find(syntax_.call_close);
  if (end == held_.npos && !last) return false;
  const std::string_view body = std::string_view(held_).substr(0, end);
  const std::vector<ToolCall> found = read_tool_calls(body);
  for (const ToolCall& one : found) {
    out.push_back({ReplyPart::kCall, calls_, one.name});
    out.push_back({ReplyPart::kArguments, calls_, one.arguments});
    ++calls_;
  }
  if (found.empty()) {
    emit(ReplyPart::kContent, syntax_.call_open, out);
    emit(ReplyPart::kContent, body, out);
    if (end != held_.npos) emit(ReplyPart::kContent, syntax_.call_close, out);
  }
  held_.erase(0, end == held_.npos ? end : end + syntax_.call_close.size());
  state_ = State::kText;
  trim_ = !found.empty();  // blanks between calls are no text
  return !held_.empty() || !last;
}

}  // namespace orrery::text
