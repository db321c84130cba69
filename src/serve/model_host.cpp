#include "serve/model_host.h"

#include <algorithm>

namespace orrery::serve {

bool ModelHost::is_called(std::string_view name) const {
  constexpr std::string_view kLatest = ":latest";  // Ollama's clients add it
  if (name.ends_with(kLatest) && name != kLatest) name.remove_suffix(kLatest.size());
  return name == id || std::find(aliases.begin(), aliases.end(), name) != aliases.end();
}

Checked<void> ModelHost::check_name(std::string_view name) const {
  if (name.empty() || is_called(name)) return {};
  std::string list = id;
  for (const std::string& alias : aliases) list += ", " + alias;
  return refuse(
      404, fmt::format("the model '{}' is not loaded; these are: {}", name.substr(0, 200), list),
      "model", "model_not_found");
}

Checked<const text::Tokenizer*> ModelHost::tokenizer() const {
  if (const text::Tokenizer* found = engine.tokenizer()) return found;
  return refuse(400, fmt::format("this model has no tokenizer: {}", engine.why_no_tokenizer()));
}

}  // namespace orrery::serve
