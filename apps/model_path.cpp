#include "apps/model_path.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace orrery::apps {
namespace {

namespace fs = std::filesystem;

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

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
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

}  // namespace

fs::path models_folder() { return user_folder("XDG_CACHE_HOME", ".cache") / "models"; }
fs::path state_folder() { return user_folder("XDG_STATE_HOME", ".local/state"); }

Result<fs::path> find_model(const std::string& name) {
  if (name.empty()) {
    const fs::path path = models_folder() / kDefaultModel;
    if (is_there(path)) return path;
    return fail("the default model {} is not in {}: `./dev run` fetches it, or name another model",
                kDefaultModel, models_folder().string());
  }
  if (is_there(name)) return fs::path(name);
  const std::vector<std::string> names = cached_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return models_folder() / name;
  std::vector<std::string> matches;
  for (const std::string& cached : names)
    if (lower(cached).starts_with(lower(name))) matches.push_back(cached);
  if (matches.size() == 1) return models_folder() / matches.front();
  if (!matches.empty()) return fail("{} could be {}; write more of the name", name, join(matches));
  if (names.empty())
    return fail("there is no file or folder {}, and no model in {}", name,
                models_folder().string());
  return fail("there is no file or folder {}, and no model of that name in {}; near names: {}",
              name, models_folder().string(), near_names(name, names));
}

}  // namespace orrery::apps
