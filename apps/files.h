// Small inputs and outputs of commands: texts, lists of token ids, lines of JSON.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace orrery::apps {

using text::Json;

// A whole text; "-" is stdin.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

// [1, 2, 3], or an object with such a list under "tokens" or "ids".
[[nodiscard]] Result<std::vector<text::TokenId>> read_token_ids(const std::string& path);

// JSON from outside, at most 200 deep. The error says what is wrong, without a place.
[[nodiscard]] Result<Json> parse_json(std::string_view text);

// The list itself.
[[nodiscard]] Result<std::vector<text::TokenId>> to_token_ids(const Json& list);

// Calls `read` with each line's object; blank lines are left out. A line that is no JSON object is
// an error that names it, and so is what `read` returns.
[[nodiscard]] Result<void> each_line(const std::string& path,
                                     const std::function<Result<void>(const Json&)>& read);

// Calls `answer` with each line's object and prints what it gives, a line each; blank lines are
// left out. A line that is no JSON object is an error that names it.
[[nodiscard]] Result<void> answer_lines(const std::string& path,
                                        const std::function<Result<Json>(const Json&)>& answer);

// One line of JSON; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string to_line(const Json& json);

}  // namespace orrery::apps
