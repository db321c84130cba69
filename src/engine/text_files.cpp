#include "engine/text_files.h"

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "engine/text_loading.h"

namespace orrery::engine {
namespace {

namespace fs = std::filesystem;
using checkpoint::Config;
using checkpoint::Object;

text::Json special_tokens_of(const Config& config) {
  text::Json variables = text::Json::object();
  for (const auto& [key, value] : config.root()) {
    if (!key.ends_with("_token")) continue;
    const auto* text = std::get_if<std::string>(&value.data);
    if (const auto* object = std::get_if<Object>(&value.data)) text = string_at(*object, "content");
    if (text) variables[key] = *text;
  }
  return variables;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

void read_template(const fs::path& folder, TextFiles& files) {
  if (const fs::path jinja = folder / "chat_template.jinja"; is_there(jinja)) {
    auto source = read_text_file(jinja);
    if (source)
      files.template_source = std::move(*source);
    else
      files.why_no_template = source.error().message;
  }
  const fs::path settings = folder / "tokenizer_config.json";
  if (!is_there(settings)) {
    if (files.why_no_template.empty())
      files.why_no_template = fmt::format(
          "{} has no chat_template.jinja and no tokenizer_config.json", folder.string());
    return;
  }
  const auto json = read_text_file(settings);
  const auto config = json ? checkpoint::parse_config(*json) : Result<Config>(at("", json.error()));
  if (!config) {
    files.why_no_template = fmt::format("{}: {}", settings.string(), config.error().message);
    return;
  }
  files.variables = special_tokens_of(*config);
  if (files.template_source) return;
  files.template_source = chat_template_in(*config);
  if (!files.template_source)
    files.why_no_template = fmt::format("{} has no chat_template", settings.string());
}

// `tokenizer_file` may be empty: a folder with only a template.
TextFiles open_folder(const fs::path& folder, const fs::path& tokenizer_file) {
  TextFiles files;
  if (tokenizer_file.empty()) {
    files.why_no_tokenizer =
        fmt::format("{} has no tokenizer.json, tekken.json or tokenizer.model", folder.string());
  } else if (auto tokenizer = text::Tokenizer::open(tokenizer_file)) {
    files.tokenizer = std::move(*tokenizer);
  } else {
    files.why_no_tokenizer = tokenizer.error().message;
  }
  read_template(folder, files);
  return files;
}

Result<TextFiles> open_checkpoint(const fs::path& path) {
  TRY(const auto checkpoint, checkpoint::Checkpoint::open(path));
  TextFiles files;
  if (auto tokenizer = load_tokenizer(*checkpoint))
    files.tokenizer = std::move(*tokenizer);
  else
    files.why_no_tokenizer = tokenizer.error().message;
  if (auto source = chat_template_source(*checkpoint))
    files.template_source = std::move(*source);
  else
    files.why_no_template = source.error().message;
  return files;
}

}  // namespace

Result<text::Json> special_token_variables(std::string_view tokenizer_config) {
  TRY(const Config config, checkpoint::parse_config(tokenizer_config));
  return special_tokens_of(config);
}

Result<TextFiles> open_text_files(const fs::path& path) {
  std::error_code ignored;
  TextFiles files;
  const bool folder = fs::is_directory(path, ignored);
  const fs::path tokenizer_file = text::Tokenizer::file_of(path);
  if (!tokenizer_file.empty() || (folder && (is_there(path / "chat_template.jinja") ||
                                             is_there(path / "tokenizer_config.json")))) {
    files = open_folder(folder ? path : path.parent_path(), tokenizer_file);
  } else {
    TRY(files, open_checkpoint(path));
  }
  if (!files.tokenizer && !files.template_source) return fail("{}", files.why_no_tokenizer);
  if (files.tokenizer) {
    const text::Json defaults = template_variables(*files.tokenizer);
    for (const auto& [name, value] : defaults.items())
      if (!files.variables.contains(name)) files.variables[name] = value;
  }
  return files;
}

}  // namespace orrery::engine
