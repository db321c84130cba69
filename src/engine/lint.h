// Lint: faults of a model's files that no reader stumbles over and that people pay for with days of
// nonsense: a setting that is missing and matters, a tokenizer that does not fit, a template that
// says less than it should.
#pragma once

#include <string>
#include <vector>

#include "engine/text_files.h"
#include "model/families/families.h"

namespace orrery::engine {

// Of a template and the tokenizer that its chats meet: BOS twice, no generation prompt, tools or
// the system's message ignored, an error for a plain chat. A sentence each; empty: none.
[[nodiscard]] std::vector<std::string> lint_chat(const TextFiles& text);

// Of a whole model, lint_chat's included.
[[nodiscard]] std::vector<std::string> lint(const model::Description& description,
                                            const TextFiles& text);

}  // namespace orrery::engine
