#include "engine/text_loading.h"

namespace orrery::engine {
namespace {

using checkpoint::Checkpoint;
using checkpoint::Config;
using checkpoint::Kind;

template <typename T>
std::span<const T> packed_array(const Config& config, std::string_view key) {
  const checkpoint::Value* value = config.find(key);
  const auto* array = value ? std::get_if<std::vector<T>>(&value->data) : nullptr;
  return array ? std::span<const T>(*array) : std::span<const T>();
}

Result<std::unique_ptr<text::Tokenizer>> from_gguf(const Config& config) {
  constexpr std::string_view kPrefix = "tokenizer.ggml.";
  const auto key = [&](std::string_view name) { return fmt::format("{}{}", kPrefix, name); };
  text::Tokenizer::GgufMetadata m;
  TRY(m.model, config.require_string(key("model")));
  TRY(auto pre, config.get_string(key("pre")));
  m.pre = pre.value_or("");
  m.tokens = packed_array<std::string>(config, key("tokens"));
  m.token_types = packed_array<i64>(config, key("token_type"));
  m.scores = packed_array<f64>(config, key("scores"));
  m.merges = packed_array<std::string>(config, key("merges"));
  TRY(m.bos, config.get_integer(key("bos_token_id")));
  TRY(m.eos, config.get_integer(key("eos_token_id")));
  TRY(m.unknown, config.get_integer(key("unknown_token_id")));
  TRY(m.pad, config.get_integer(key("padding_token_id")));
  TRY(m.eot, config.get_integer(key("eot_token_id")));
  TRY(m.add_bos, config.get_bool(key("add_bos_token")));
  TRY(m.add_eos, config.get_bool(key("add_eos_token")));
  TRY(m.add_space_prefix, config.get_bool(key("add_space_prefix")));
  return text::Tokenizer::from_gguf(m);
}

}  // namespace

Result<std::unique_ptr<text::Tokenizer>> load_tokenizer(const Checkpoint& checkpoint) {
  if (checkpoint.kind() == Kind::kGguf) return from_gguf(checkpoint.config());
  return text::Tokenizer::open(checkpoint.path());
}

const std::string* string_at(const checkpoint::Object& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : std::get_if<std::string>(&found->second.data);
}

std::optional<std::string> chat_template_in(const Config& config) {
  const checkpoint::Value* value = config.find("chat_template");
  if (!value) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(&value->data)) return *text;
  const auto* list = std::get_if<checkpoint::Array>(&value->data);
  for (const checkpoint::Value& entry : list ? *list : checkpoint::Array()) {
    const auto* object = std::get_if<checkpoint::Object>(&entry.data);
    const std::string* name = object ? string_at(*object, "name") : nullptr;
    const std::string* source = object ? string_at(*object, "template") : nullptr;
    if (name && source && *name == "default") return *source;
  }
  return std::nullopt;
}

Result<std::string> chat_template_source(const Checkpoint& checkpoint) {
  if (checkpoint.kind() == Kind::kGguf) {
    TRY(auto source, checkpoint.config().get_string("tokenizer.chat_template"));
    if (!source) return fail("the file has no chat template (tokenizer.chat_template)");
    return *source;
  }
  if (auto source = checkpoint.text_file("chat_template.jinja")) return *source;
  TRY(const std::string json, checkpoint.text_file("tokenizer_config.json"));
  TRY(const Config config, checkpoint::parse_config(json));
  if (auto source = chat_template_in(config)) return *source;
  return fail("tokenizer_config.json has no chat_template");
}

text::Json template_variables(const text::Tokenizer& tokenizer) {
  text::Json variables = text::Json::object();
  const auto set = [&](const char* name, std::optional<text::TokenId> id) {
    if (id) variables[name] = std::string(tokenizer.token_name(*id));
  };
  set("bos_token", tokenizer.bos());
  set("eos_token", tokenizer.eos());
  return variables;
}

}  // namespace orrery::engine
