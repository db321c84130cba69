// Fuzzes the template engine: the input is a chat template. Whatever it is, parsing and rendering
// end within the limits with a text or one error line, the same twice; and what the messages say
// (letters that a template cannot write itself) never counts as the template's own text.
#include <cstdlib>

#include "text/chat_template.h"

using namespace orrery;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

constexpr std::string_view kSecret = "\xee\x83\xb0\xee\x83\xb1";  // private use, U+E0F0 and U+E0F1

text::Json variables() {
  const std::string secret(kSecret);
  return {{"messages",
           {{{"role", "user"}, {"content", secret + " x, y <b> " + secret}},
            {{"role", "assistant"},
             {"content", nullptr},
             {"tool_calls", {{{"name", secret}, {"n", 1}}}}},
            {{"role", secret}, {"content", {{{"type", "text"}, {"text", secret}}}}}}},
          {"tools", {{{"type", "function"}, {"function", {{"name", secret}, {secret, 1.5}}}}}},
          {"bos_token", "<s>"},
          {"add_generation_prompt", true}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  static const text::Json kVariables = variables();
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  auto parsed = text::ChatTemplate::parse(source);
  if (!parsed) {
    require(!parsed.error().message.empty());
    return 0;
  }
  text::ChatTemplate::Limits limits;
  limits.steps_max = 100'000;
  limits.memory_bytes_max = u64(16) << 20;
  limits.output_bytes_max = u64(1) << 20;
  parsed->set_limits(limits);
  const auto segments = parsed->render_segments(kVariables);
  const auto text = parsed->render(kVariables);
  const bool reads_clock = source.find("strftime") != std::string_view::npos;
  require(segments.has_value() == text.has_value() || reads_clock);
  if (!segments || !text) return 0;
  const bool could_write_secret = source.find('\xee') != std::string_view::npos ||
                                  source.find('\\') != std::string_view::npos ||
                                  source.find("%c") != std::string_view::npos;
  std::string joined;
  for (const text::Segment& segment : *segments) {
    joined += segment.text;
    if (segment.from_content || could_write_secret) continue;
    require(segment.text.find('\xee') == std::string::npos);
    require(segment.message == -1);
  }
  require(joined == *text || reads_clock);
  return 0;
}
