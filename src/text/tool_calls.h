// tool_calls: calls of tools as models write them, by the forms that families have learnt.
//
// JSON objects with a name and arguments, one or a list; functions and parameters as tags; keys and
// values as tags; a name and its arguments apart by a mark. What is none of them is no call.
#pragma once

#include "text/reply_parser.h"

namespace orrery::text {

// Marks of DeepSeek's form, around a list of calls and around each.
inline constexpr std::string_view kListBegin = "<\uff5ctool\u2581calls\u2581begin\uff5c>",
                                  kListEnd = "<\uff5ctool\u2581calls\u2581end\uff5c>",
                                  kCallBegin = "<\uff5ctool\u2581call\u2581begin\uff5c>",
                                  kCallEnd = "<\uff5ctool\u2581call\u2581end\uff5c>",
                                  kSeparator = "<\uff5ctool\u2581sep\uff5c>";
// Mistral's: before the calls, and between a name and its arguments.
inline constexpr std::string_view kBracket = "[TOOL_CALLS]", kBracketArguments = "[ARGS]";

// The calls in what stood between a syntax' marks; empty where it is no call.
[[nodiscard]] std::vector<ToolCall> read_tool_calls(std::string_view body);

}  // namespace orrery::text
