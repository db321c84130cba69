#include "hub/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/mapped_file.h"
#include "hub/http.h"
#include "hub/names.h"

namespace orrery::hub {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path home() {
  const std::string path = variable("HOME");
  return path.empty() ? "/" : path;
}

// What the variable names, with a "~" at its beginning replaced; empty when it is not set.
fs::path folder_variable(const char* name) {
  const std::string value = variable(name);
  if (value == "~") return home();
  if (value.starts_with("~/")) return home() / value.substr(2);
  return value;
}

fs::path hub_home() {
  if (const fs::path path = folder_variable("HF_HOME"); !path.empty()) return path;
  const fs::path cache = folder_variable("XDG_CACHE_HOME");
  return (cache.empty() ? home() / ".cache" : cache) / "huggingface";
}

bool is_on(const char* name) {
  const std::string value = lower(variable(name));
  return value == "1" || value == "on" || value == "yes" || value == "true";
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin));
}

// A token goes into a header line: nothing may end that line or begin another.
Result<std::string> checked_token(std::string_view text, const std::string& from) {
  std::string token = trimmed(text);
  const auto is_odd = [](char c) { return c <= 0x20 || c >= 0x7f; };
  if (std::any_of(token.begin(), token.end(), is_odd))
    return fail("the token in {} holds characters that no token has", from);
  return token;
}

Result<std::string> find_token() {
  constexpr u64 kTokenBytesMax = 4096;
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    TRY(const std::string token, checked_token(variable(name), name));
    if (!token.empty()) return token;
  }
  fs::path path = folder_variable("HF_TOKEN_PATH");
  if (path.empty()) path = hub_home() / "token";
  std::error_code code;
  if (!fs::exists(path, code)) return std::string();
  TRY(const std::string text, read_text_file(path, kTokenBytesMax));
  return checked_token(text, path.string());
}

}  // namespace

fs::path hub_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const fs::path path = folder_variable(name); !path.empty()) return path;
  return hub_home() / "hub";
}

Result<Settings> settings_from_environment() {
  Settings settings;
  settings.endpoint = trimmed(variable("HF_ENDPOINT"));
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  if (settings.endpoint.empty())
    return fail(
        "no hub is set: set HF_ENDPOINT to the address of a Hugging Face-compatible hub, as in "
        "HF_ENDPOINT=https://HOST");
  CHECK_OK(check_endpoint(settings.endpoint));
  if (is_on("HF_HUB_OFFLINE"))
    return fail("HF_HUB_OFFLINE is set, so nothing is fetched: unset it to pull");
  TRY(settings.token, find_token());
  settings.folder = fs::absolute(hub_folder());
  const std::string stall = variable("HF_HUB_DOWNLOAD_TIMEOUT");
  u32 seconds = 0;
  if (std::from_chars(stall.data(), stall.data() + stall.size(), seconds).ec == std::errc() &&
      seconds > 0 && seconds <= 86'400)
    settings.stall_seconds = seconds;
  return settings;
}

}  // namespace orrery::hub
