#include "hub/names.h"

#include <algorithm>

namespace orrery::hub {
namespace {

constexpr std::size_t kNameMax = 96;        // the hub's own limit
constexpr std::size_t kPartBytesMax = 255;  // NAME_MAX of Linux file systems
constexpr std::size_t kPathBytesMax = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f');
         });
}

// The hub's rule for the names of organisations and models. "--" separates them in the cache.
bool is_repo_part(std::string_view text) {
  if (text.empty() || text.size() > kNameMax) return false;
  for (const char c : text)
    if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && c != '.') return false;
  const auto at_end = [](char c) { return c == '-' || c == '.'; };
  return !at_end(text.front()) && !at_end(text.back()) && text.find("--") == text.npos &&
         text.find("..") == text.npos;
}

bool is_safe_part(std::string_view part) {
  if (part.empty() || part == "." || part == ".." || part.size() > kPartBytesMax) return false;
  if (lower(part) == ".git") return false;
  return std::none_of(part.begin(), part.end(),
                      [](char c) { return u8(c) < 0x20 || c == 0x7f || c == '\\'; });
}

}  // namespace

Result<ModelName> parse_model_name(std::string_view text) {
  ModelName model;
  if (const auto colon = text.find(':'); colon != text.npos) {
    model.quant = text.substr(colon + 1);
    if (!is_safe_path(model.quant))
      return fail("{} names no quantisation after the colon, as in ORG/NAME:Q4_K_M", shown(text));
    text = text.substr(0, colon);
  }
  if (const auto at = text.find('@'); at != text.npos) {
    model.revision = text.substr(at + 1);
    if (!is_safe_path(model.revision))
      return fail("{} names no revision after the @, as in ORG/NAME@v1.0", shown(text));
    text = text.substr(0, at);
  }
  const auto slash = text.find('/');
  if (slash == text.npos)
    return fail("{} is no name of a published model: write ORG/NAME or ORG/NAME:QUANT",
                shown(text));
  model.org = text.substr(0, slash);
  model.name = text.substr(slash + 1);
  if (!is_repo_part(model.org) || !is_repo_part(model.name))
    return fail("{} is no ORG/NAME: each is made of letters, digits, '-', '_' and '.'",
                shown(text));
  return model;
}

bool is_commit(std::string_view text) { return is_hex(text, 40); }
bool is_blob_key(std::string_view text) { return is_hex(text, 40) || is_hex(text, 64); }

bool is_safe_path(std::string_view path) {
  if (path.size() > kPathBytesMax) return false;
  for (;;) {
    const auto slash = path.find('/');
    if (!is_safe_part(path.substr(0, slash))) return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string shown(std::string_view text) {
  constexpr std::size_t kShownBytes = 80;
  std::string line = "'";
  for (const char c : text.substr(0, kShownBytes)) {
    if (u8(c) < 0x20 || u8(c) >= 0x7f)
      line += fmt::format("\\x{:02x}", u8(c));
    else
      line += c;
  }
  return line + (text.size() > kShownBytes ? "...'" : "'");
}

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return small;
}

std::string listed(std::span<const std::string> names, std::size_t shown_max) {
  std::string line;
  for (std::size_t i = 0; i < std::min(names.size(), shown_max); ++i) {
    // Names from a server: without the quotes where they need no escaping.
    const std::string name = shown(names[i]);
    const bool plain = name.size() == names[i].size() + 2;
    line += (line.empty() ? "" : ", ") + (plain ? names[i] : name);
  }
  if (names.size() > shown_max) line += fmt::format(" and {} more", names.size() - shown_max);
  return line;
}

}  // namespace orrery::hub
