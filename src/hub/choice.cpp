#include "hub/choice.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/types.h"
#include "hub/names.h"

namespace orrery::hub {
namespace {

using Strings = std::vector<std::string>;

// A good middle between size and loss, which nearly every such repository has.
constexpr std::string_view kDefaultQuant = "q4_k_m";

bool is_quant(std::string_view word) {
  const std::string text = lower(word);
  for (const std::string_view whole : {"f16", "f32", "bf16", "fp16", "fp32", "fp8"})
    if (text == whole) return true;
  if (text.starts_with("mxfp4") || text.starts_with("nvfp4")) return true;
  const auto q = text.find('q');
  return q <= 1 && (q == 0 || text[0] == 'i' || text[0] == 't') && q + 1 < text.size() &&
         text[q + 1] >= '0' && text[q + 1] <= '9';
}

// The quantisation in a model's name, with "UD-" where that stands before it; else nothing.
std::string quant_in(std::string_view stem) {
  for (std::size_t end = stem.size(); end != stem.npos && end > 0;) {
    const auto separator = stem.find_last_of("-./", end - 1);
    const std::size_t begin = separator == stem.npos ? 0 : separator + 1;
    const std::string_view word = stem.substr(begin, end - begin);
    // "name_q4_0": the quantisation may follow an underscore, and it holds some itself.
    for (std::size_t at = 0; at != word.npos && at < word.size();) {
      if (is_quant(word.substr(at))) {
        const bool dynamic = at == 0 && stem.substr(0, begin).ends_with("UD-");
        return (dynamic ? "UD-" : "") + std::string(word.substr(at));
      }
      at = word.find('_', at);
      if (at != word.npos) ++at;
    }
    end = separator;
  }
  return "";
}

// One GGUF model: a file, or all parts of a split one.
struct Model {
  std::string stem;  // its path without ".gguf" and without the number of a part
  std::string label;
  u32 parts = 1;                     // as the names say
  std::map<u32, std::string> files;  // by number of the part
};

// "-00001-of-00003" at the end of a stem: number and count; else {1, 1} and the stem stays.
std::pair<u32, u32> take_part(std::string_view& stem) {
  constexpr std::string_view kForm = "-00001-of-00003";
  if (stem.size() <= kForm.size()) return {1, 1};
  const std::string_view end = stem.substr(stem.size() - kForm.size());
  const auto number = [](std::string_view digits) {
    u32 value = 0;
    const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return code == std::errc() && stop == digits.data() + digits.size() ? value : 0;
  };
  const u32 index = number(end.substr(1, 5)), count = number(end.substr(10, 5));
  if (end[0] != '-' || end.substr(6, 4) != "-of-" || index == 0 || index > count) return {1, 1};
  stem.remove_suffix(kForm.size());
  return {index, count};
}

std::vector<Model> gguf_models(std::span<const std::string> paths) {
  constexpr std::string_view kEnding = ".gguf";
  std::map<std::pair<std::string, u32>, Model> models;  // two splits may share a stem
  for (const std::string& path : paths) {
    if (!lower(path).ends_with(kEnding)) continue;
    std::string_view stem = path;
    stem.remove_suffix(kEnding.size());
    const auto [number, count] = take_part(stem);
    Model& model = models[{std::string(stem), count}];
    model.stem = stem;
    model.parts = count;
    model.files[number] = path;
  }
  std::vector<Model> list;
  std::map<std::string, int> uses;
  for (auto& [key, model] : models) {
    model.label = quant_in(model.stem);
    ++uses[lower(model.label)];
    list.push_back(std::move(model));
  }
  for (Model& model : list)  // a label that says nothing or not which one: the name itself
    if (model.label.empty() || uses[lower(model.label)] > 1) model.label = model.stem;
  return list;
}

// Companions that are no language model by themselves: projectors for pictures, statistics.
bool is_companion(const Model& model) {
  const std::string name = lower(model.stem.substr(model.stem.find_last_of('/') + 1));
  return name.starts_with("mmproj") || name.find("imatrix") != name.npos;
}

// Whether the name holds the quantisation as a word of its own: Q4_K is not in Q4_K_M.
bool holds(const std::string& stem, std::string_view quant) {
  const std::string text = lower(stem), wanted = lower(quant);
  const std::string_view before = is_quant(quant) ? "-./_" : "-./";
  for (auto at = text.find(wanted); at != text.npos; at = text.find(wanted, at + 1)) {
    const std::size_t end = at + wanted.size();
    if ((at == 0 || before.find(text[at - 1]) != before.npos) &&
        (end == text.size() || std::string_view("-./").find(text[end]) != std::string_view::npos))
      return true;
  }
  return false;
}

bool is_named(const Model& model, std::string_view name) {
  if (lower(model.stem) == lower(name) || lower(model.label) == lower(name)) return true;
  return std::ranges::any_of(model.files,
                             [&](const auto& part) { return lower(part.second) == lower(name); });
}

Strings labels(const std::vector<Model>& models) {
  Strings names;
  for (const Model& model : models) names.push_back(model.label);
  return names;
}

Result<Choice> take(const Model& model, const std::vector<Model>& all) {
  if (model.files.size() != model.parts)
    return fail("of the {} parts of {} only {} are there", model.parts, shown(model.stem),
                model.files.size());
  Choice choice;
  choice.gguf = true;
  choice.quant = model.label;
  for (const auto& [number, path] : model.files) choice.files.push_back(path);
  for (const Model& other : all)
    if (&other != &model) choice.others.push_back(other.label);
  return choice;
}

Result<Choice> choose_gguf(std::span<const std::string> paths, std::string_view quant) {
  const std::vector<Model> all = gguf_models(paths);
  std::vector<const Model*> found;
  for (const Model& model : all)
    if (!quant.empty() && is_named(model, quant)) found.push_back(&model);
  if (found.empty())
    for (const Model& model : all)
      if (!is_companion(model) && (quant.empty() || holds(model.stem, quant)))
        found.push_back(&model);
  if (found.size() == 1) return take(*found.front(), all);
  if (!quant.empty() && all.empty())
    return fail("there is no GGUF file, so no {}; leave the :{} away", shown(quant), quant);
  if (!quant.empty() && found.empty())
    return fail("there is no {}; there are {}", shown(quant), listed(labels(all)));
  if (!quant.empty()) {
    Strings stems;
    for (const Model* model : found) stems.push_back(model->stem);
    return fail("{} could be {}; write one of these after the colon", shown(quant), listed(stems));
  }
  for (const Model* model : found) {
    if (lower(model->label) != kDefaultQuant) continue;
    TRY(Choice choice, take(*model, all));
    choice.by_default = true;
    return choice;
  }
  if (found.empty()) return fail("there is no model, only {}", listed(labels(all)));
  return fail("there are several quantisations: {}; add one after a colon", listed(labels(all)));
}

// The files beside the weights that a reader of a Hugging Face folder may ask for.
bool is_folder_file(const std::string& name) {
  static const std::set<std::string_view> kNames = {"config.json",
                                                    "generation_config.json",
                                                    "tokenizer.json",
                                                    "tokenizer.model",
                                                    "tokenizer_config.json",
                                                    "special_tokens_map.json",
                                                    "added_tokens.json",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "tekken.json",
                                                    "chat_template.jinja",
                                                    "chat_template.json",
                                                    "tiktoken.model",
                                                    "model.safetensors.index.json"};
  return kNames.contains(name) || name.ends_with(".tiktoken");
}

Choice choose_safetensors(std::span<const std::string> paths) {
  Choice choice;
  const auto is_weights = [](const std::string& path) {
    return path.find('/') == path.npos && path.ends_with(".safetensors");
  };
  // Some publishers add the same weights again in their own layout.
  const bool named = std::ranges::any_of(
      paths, [&](const auto& path) { return is_weights(path) && path.starts_with("model"); });
  for (const std::string& path : paths)
    if (is_folder_file(path) || (is_weights(path) && !(named && path.starts_with("consolidated"))))
      choice.files.push_back(path);
  return choice;
}

}  // namespace

Result<Choice> choose_files(std::span<const std::string> paths, std::string_view quant) {
  const auto ends = [&](std::string_view ending) {
    return std::ranges::any_of(paths, [&](const auto& p) { return lower(p).ends_with(ending); });
  };
  if (quant.empty()) {
    Choice choice = choose_safetensors(paths);
    const bool weights = std::ranges::any_of(
        choice.files, [](const auto& path) { return path.ends_with(".safetensors"); });
    if (weights && std::ranges::find(choice.files, "config.json") != choice.files.end())
      return choice;
    if (weights && !ends(".gguf")) return fail("there is no config.json beside the safetensors");
    if (!ends(".gguf"))
      return fail("there is no model in safetensors or GGUF; there are {}",
                  paths.empty() ? "no files" : listed(paths, 8));
  }
  return choose_gguf(paths, quant);
}

}  // namespace orrery::hub
