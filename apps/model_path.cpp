#include "apps/model_path.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "hub/repo_cache.h"
#include "hub/settings.h"

namespace orrery::apps {
namespace {

namespace fs = std::filesystem;
using hub::lower;

constexpr std::string_view kDefaultModel = "SmolLM2-135M-Instruct.Q4_1.gguf";

fs::path user_folder(const char* variable, std::string_view under_home) {
  const char* given = std::getenv(variable);
  if (given && *given) return fs::path(given) / "orrery";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/") / under_home / "orrery";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::string> cached_names() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator it(models_folder(), ignored), end; it != end; it.increment(ignored))
    if (it->path().filename().string().front() != '.')
      names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// How many single-letter edits lead from one name to the beginning of the other (Levenshtein 1966).
std::size_t distance(const std::string& from, const std::string& to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (from[i - 1] != to[j - 1])});
      diagonal = above;
    }
  }
  return *std::min_element(row.begin(), row.end());
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string near_names(const std::string& name, std::vector<std::string> names) {
  constexpr std::size_t kShown = 3;
  const std::string wanted = lower(name.substr(0, 100));
  const auto score = [&](const std::string& other) { return distance(wanted, lower(other)); };
  std::stable_sort(names.begin(), names.end(),
                   [&](const auto& a, const auto& b) { return score(a) < score(b); });
  if (names.size() > kShown) names.resize(kShown);
  return join(names);
}

// "ORG/NAME@REVISION:QUANT" in its parts; the ORG may be missing.
struct Wanted {
  std::string name, revision, quant;
};

Wanted split(const std::string& text) {
  const auto cut = [](std::string& head, char mark) {
    const auto at = head.find(mark);
    std::string tail = at == head.npos ? "" : head.substr(at + 1);
    head.resize(std::min(at, head.size()));
    return tail;
  };
  Wanted wanted{text, "", ""};
  wanted.quant = cut(wanted.name, ':');
  wanted.revision = cut(wanted.name, '@');
  return wanted;
}

// The pulled models whose NAME this is, else those that begin with it, with or without the ORG.
std::vector<std::string> matching(const std::vector<std::string>& pulled, std::string_view name) {
  std::vector<std::string> whole, begun;
  const std::string wanted = lower(name);
  for (const std::string& id : pulled) {
    const std::string full = lower(id), leaf = full.substr(full.find('/') + 1);
    if (leaf == wanted) whole.push_back(id);
    if (leaf.starts_with(wanted) || full.starts_with(wanted)) begun.push_back(id);
  }
  return whole.empty() ? begun : whole;
}

Result<fs::path> open_pulled(const std::string& id, const Wanted& wanted) {
  std::string name = id;
  if (!wanted.revision.empty()) name += "@" + wanted.revision;
  if (!wanted.quant.empty()) name += ":" + wanted.quant;
  TRY(const hub::ModelName model, hub::parse_model_name(name));
  return hub::find_cached_model(hub::hub_folder(), model);
}

}  // namespace

fs::path models_folder() { return user_folder("XDG_CACHE_HOME", ".cache") / "models"; }
fs::path packs_folder() { return user_folder("XDG_CACHE_HOME", ".cache") / "packs"; }
fs::path state_folder() { return user_folder("XDG_STATE_HOME", ".local/state"); }

Result<fs::path> find_model(const std::string& name) {
  if (name.empty()) {
    const fs::path path = models_folder() / kDefaultModel;
    if (is_there(path)) return path;
    const std::string others = join(cached_names());
    return fail("the default model {} is not in {}: `./dev run` fetches it, or name another{}{}",
                kDefaultModel, models_folder().string(), others.empty() ? " model" : ", there are ",
                others);
  }
  if (is_there(name)) return fs::path(name);
  std::vector<std::string> names = cached_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return models_folder() / name;
  const std::vector<std::string> pulled = hub::cached_models(hub::hub_folder());
  const Wanted wanted = split(name);
  for (const std::string& id : pulled)
    if (lower(id) == lower(wanted.name)) return open_pulled(id, wanted);
  std::vector<std::string> matches;
  for (const std::string& cached : names)
    if (lower(cached).starts_with(lower(name))) matches.push_back(cached);
  const std::size_t files = matches.size();
  for (const std::string& id : matching(pulled, wanted.name)) matches.push_back(id);
  if (matches.size() == 1)
    return files == 1 ? models_folder() / matches.front() : open_pulled(matches.front(), wanted);
  if (!matches.empty()) return fail("{} could be {}; write more of the name", name, join(matches));
  names.insert(names.end(), pulled.begin(), pulled.end());
  const bool published = bool(hub::parse_model_name(name));
  const std::string hint = published ? fmt::format("; `orrery pull {}` fetches it", name) : "";
  if (names.empty())
    return fail("there is no file or folder {}, and no model in {} or {}{}", name,
                models_folder().string(), hub::hub_folder().string(), hint);
  return fail(
      "there is no file or folder {}, and no model of that name in {} or {}; near names: {}{}",
      name, models_folder().string(), hub::hub_folder().string(), near_names(name, names), hint);
}

}  // namespace orrery::apps
