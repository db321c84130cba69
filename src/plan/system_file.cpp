// Reading the kernel's text files: tolerant of absence, strict about numbers.
#include "plan/system_file.h"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace orrery::plan {
namespace {

constexpr u32 kCpuIdMax = 65535;  // no kernel has more; bounds what a malformed list can ask for

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace

std::optional<std::string> read_system_file(const std::filesystem::path& path, u64 bytes_max) {
  std::ifstream stream(path, std::ios::binary);
  std::string text;
  char block[4096];
  while (stream && text.size() < bytes_max) {
    stream.read(block, std::streamsize(std::min<u64>(sizeof(block), bytes_max - text.size())));
    text.append(block, std::size_t(stream.gcount()));
  }
  if (text.empty() && !stream.eof()) return std::nullopt;
  return text;
}

std::optional<u64> parse_u64(std::string_view text) {
  text = trimmed(text);
  u64 value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::vector<u32>> parse_cpu_list(std::string_view text) {
  std::vector<u32> ids;
  text = trimmed(text);
  if (text.empty()) return ids;
  for (const std::string_view part : split(text, ',')) {
    const auto dash = part.find('-');
    const auto first = parse_u64(part);
    const auto last = dash == std::string_view::npos ? first : parse_u64(part.substr(dash + 1));
    if (!first || !last || *first > *last || *last > kCpuIdMax) return std::nullopt;
    if (ids.size() + (*last - *first) > kCpuIdMax) return std::nullopt;
    for (u64 id = *first; id <= *last; ++id) ids.push_back(u32(id));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::optional<std::string_view> line_value(std::string_view text, std::string_view key) {
  for (std::string_view line : split(text, '\n')) {
    if (!line.starts_with(key)) continue;
    const std::string_view rest = line.substr(key.size());
    const auto begin = rest.find_first_not_of(" \t:");
    if (begin == 0) continue;  // a longer key that begins alike
    return begin == std::string_view::npos ? std::string_view() : trimmed(rest.substr(begin));
  }
  return std::nullopt;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace orrery::plan
