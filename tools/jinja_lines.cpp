// jinja_lines: renders templates from standard input for tools/fuzz_jinja.py, a JSON object a line:
// {"template": ..., "variables": {...}} in; {"rendered": ..., "segments": [...]} or {"error": ...}
// out.
#include <cstdio>
#include <iostream>

#include "text/chat_template.h"

namespace {

using orrery::text::ChatTemplate;
using orrery::text::Json;

orrery::Result<Json> render(const Json& line) {
  TRY(const ChatTemplate parsed, ChatTemplate::parse(line["template"].get<std::string>()));
  TRY(const auto segments, parsed.render_segments(line["variables"]));
  Json out;
  std::string text;
  out["segments"] = Json::array();
  for (const auto& segment : segments) {
    text += segment.text;
    out["segments"].push_back({segment.text, segment.from_content, segment.message});
  }
  out["rendered"] = text;
  return out;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto result = render(Json::parse(line));
    const Json out = result ? *result : Json{{"error", result.error().message}};
    std::printf("%s\n", out.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
  }
  return 0;
}
