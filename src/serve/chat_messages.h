// Messages of a chat from the forms that APIs have for them to the one that templates know:
// [{"role", "content" as a text, "tool_calls" with their arguments as objects}].
#pragma once

#include "serve/ask.h"

namespace orrery::serve {

// OpenAI's form: parts of a content are joined; a part that is no text is an error.
[[nodiscard]] Checked<Json> plain_messages(const Json& messages);

// Makes the tools known to the model: by its template, or, where that has no place for them, by a
// system message, with a warning.
[[nodiscard]] Checked<void> offer_tools(std::string_view template_source, const Json& tools,
                                        Json& messages, Json& variables, Ask& ask);

}  // namespace orrery::serve
