#include "apps/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>

#include "apps/terminal.h"
#include "base/mapped_file.h"

namespace orrery::apps {
namespace {

constexpr u32 kDepthMax = 200;
constexpr u64 kTextBytesMax = u64(1) << 30;

// How deep the brackets outside of strings go; what is no JSON the parser finds.
u32 depth_of(std::string_view text) {
  u32 depth = 0, deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

// nlohmann's message without its "[json.exception...]" in front.
std::string problem(const std::exception& error) {
  std::string_view text = error.what();
  if (const auto close = text.find("] "); close != text.npos) text.remove_prefix(close + 2);
  return std::string(text.substr(0, 200));
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
  if (path != "-") return read_text_file(path, kTextBytesMax);
  std::string text, part(1 << 16, '\0');
  while (std::cin.read(part.data(), std::streamsize(part.size())) || std::cin.gcount() > 0) {
    text.append(part, 0, std::size_t(std::cin.gcount()));
    if (text.size() > kTextBytesMax)
      return fail("stdin gives more than {} MiB", kTextBytesMax >> 20);
  }
  return text;
}

Result<Json> parse_json(std::string_view text) {
  if (depth_of(text) > kDepthMax) return fail("JSON nested deeper than {}", kDepthMax);
  try {
    return Json::parse(text);
  } catch (const std::exception& error) {
    return fail("{}", problem(error));
  }
}

Result<std::vector<text::TokenId>> to_token_ids(const Json& list) {
  if (!list.is_array()) return fail("expected a list of token ids like [1, 2, 3]");
  std::vector<text::TokenId> ids;
  ids.reserve(list.size());
  constexpr i64 kIdMax = std::numeric_limits<text::TokenId>::max();
  for (const Json& id : list) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<u64>() > u64(kIdMax)) ||
        id.get<i64>() < 0)
      return fail("{} is no token id", to_line(id).substr(0, 60));
    ids.push_back(id.get<text::TokenId>());
  }
  if (ids.empty()) return fail("the list of token ids is empty");
  return ids;
}

Result<std::vector<text::TokenId>> read_token_ids(const std::string& path) {
  TRY(const std::string text, read_text(path));
  const Result<Json> parsed = parse_json(text);
  if (!parsed) return at(path, parsed.error());
  const Json* list = &*parsed;
  for (const char* key : {"tokens", "ids"})
    if (parsed->is_object() && parsed->contains(key)) list = &(*parsed)[key];
  auto ids = to_token_ids(*list);
  if (!ids) return at(path, ids.error());
  return ids;
}

Result<void> each_line(const std::string& path,
                       const std::function<Result<void>(const Json&)>& read) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) return fail("cannot read {}", path);
  }
  std::istream& in = path == "-" ? std::cin : file;
  std::string line;
  for (u64 number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}, line {}", path == "-" ? "stdin" : path, number);
    const Result<Json> request = parse_json(line);
    if (!request) return at(where, request.error());
    if (!request->is_object()) return fail("{}: expected a JSON object", where);
    if (const Result<void> done = read(*request); !done) return at(where, done.error());
  }
  if (in.bad()) return fail("cannot read {}", path);
  return {};
}

Result<void> answer_lines(const std::string& path,
                          const std::function<Result<Json>(const Json&)>& answer) {
  return each_line(path, [&](const Json& line) -> Result<void> {
    TRY(const Json given, answer(line));
    if (!print(to_line(given) + "\n")) return fail("cannot write the answer");
    return {};
  });
}

std::string to_line(const Json& json) {
  std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Characters that some readers of lines take for line ends; in JSON they stand in strings only.
  for (const auto& [character, escape] :
       {std::pair{"\u0085", "\\u0085"}, {"\u2028", "\\u2028"}, {"\u2029", "\\u2029"}})
    for (std::size_t at = 0; (at = line.find(character, at)) != std::string::npos;)
      line.replace(at, std::strlen(character), escape);
  return line;
}

}  // namespace orrery::apps
