#include "text/reply_parser.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace orrery::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kCall = "<tool_call>", kCallEnd = "</tool_call>";
constexpr std::string_view kBlanks = " \t\r\n";

// Length of the longest end of `text` that begins `mark`.
u64 open_suffix(std::string_view text, std::string_view mark) {
  for (u64 n = std::min(text.size(), mark.size() - 1); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return n;
  return 0;
}

// {"name": ..., "arguments": {...}}; nothing where it is something else.
std::optional<ToolCall> read_call(std::string_view text) {
  const Json call = Json::parse(text, nullptr, false);
  if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) return std::nullopt;
  ToolCall found{.name = call["name"].get<std::string>(), .arguments = "{}"};
  for (const char* key : {"arguments", "parameters"})
    if (call.contains(key))
      found.arguments = call[key].is_string()
                            ? call[key].get<std::string>()
                            : call[key].dump(-1, ' ', false, Json::error_handler_t::replace);
  return found;
}

}  // namespace

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
  if (syntax_.tools) return until(kCall, ReplyPart::kContent, State::kCall, out, last);
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
  const u64 end = held_.find(kCallEnd);
  if (end == held_.npos && !last) return false;
  const std::string_view body = std::string_view(held_).substr(0, end);
  if (const auto found = read_call(body)) {
    out.push_back({ReplyPart::kCall, calls_, found->name});
    out.push_back({ReplyPart::kArguments, calls_, found->arguments});
    ++calls_;
  } else {
    trim_ = false;
    emit(ReplyPart::kContent, kCall, out);
    emit(ReplyPart::kContent, body, out);
    if (end != held_.npos) emit(ReplyPart::kContent, kCallEnd, out);
  }
  held_.erase(0, end == held_.npos ? end : end + kCallEnd.size());
  state_ = State::kText;
  trim_ = true;
  return !held_.empty() || !last;
}

}  // namespace orrery::text
