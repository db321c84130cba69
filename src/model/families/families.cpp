#include "model/families/families.h"

namespace orrery::model {
namespace {

// The architecture's name in this checkpoint.
Result<std::string> architecture_of(const checkpoint::Checkpoint& checkpoint) {
  const checkpoint::Config& config = checkpoint.config();
  if (checkpoint.kind() == checkpoint::Kind::kGguf)
    return config.require_string("general.architecture");
  TRY(const checkpoint::Strings* names, config.get_strings("architectures"));
  if (!names || names->size() != 1)
    return fail("config.json: \"architectures\" must name exactly one architecture");
  return names->front();
}

}  // namespace

const std::vector<Family>& families() {
  using namespace families_detail;
  static const std::vector<Family> table = {
      {"llama", "LlamaForCausalLM", "", llama, true},
      {"mistral", "MistralForCausalLM", "", mistral, true},
      // GGUF files of both carry one name; the window stands in the file where there is one.
      {"llama", "", "llama", mistral, true},
  };
  return table;
}

Result<Description> describe(const checkpoint::Checkpoint& checkpoint) {
  TRY(const std::string architecture, architecture_of(checkpoint));
  const bool gguf = checkpoint.kind() == checkpoint::Kind::kGguf;
  std::string known;
  for (const Family& family : families()) {
    const std::string_view name = gguf ? family.gguf : family.architecture;
    if (name.empty()) continue;
    if (name != architecture) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
      continue;
    }
    TRY(ModelSpec spec, family.describe(Fields(checkpoint)));
    spec.family = family.name;
    CHECK_OK(check(spec));
    return Description{std::move(spec), &family};
  }
  return fail("the architecture \"{}\" is not supported (supported: {})", architecture, known);
}

}  // namespace orrery::model
