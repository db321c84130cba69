#include "serve/explorer/query.h"

#include <charconv>

namespace orrery::serve {
namespace {

constexpr u64 kParametersMax = 32;

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (u64 i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
      out += char(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    }
  }
  return out;
}

}  // namespace

Checked<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const u64 end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    const u64 equals = std::min(one.find('='), one.size());
    const auto name = decoded(one.substr(0, equals));
    const auto value = decoded(one.substr(std::min(equals + 1, one.size())));
    if (!name || !value) return refuse(400, "a parameter of the address has a broken %XX");
    if (query.values_.size() >= kParametersMax)
      return refuse(400, fmt::format("more than {} parameters", kParametersMax));
    if (!query.values_.emplace(*name, *value).second)
      return refuse(400, fmt::format("the parameter '{}' stands twice", name->substr(0, 60)));
  }
  return query;
}

std::string Query::text(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(otherwise) : found->second;
}

Checked<std::optional<u64>> Query::number(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.empty()) return std::optional<u64>();
  const std::string& text = found->second;
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return refuse(
        400, fmt::format("'{}' is '{}', and must be a whole number", name, text.substr(0, 60)));
  return std::optional(value);
}

}  // namespace orrery::serve
