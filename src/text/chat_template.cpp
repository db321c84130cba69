// ChatTemplate: the border between the program and the Jinja engine, where its exceptions end.
#include "text/chat_template.h"

#include <algorithm>
#include <new>

#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/parser.h"

namespace orrery::text {

struct ChatTemplate::Program {
  jinja::Program program;
};

namespace {

tl::unexpected<Error> failure(const jinja::TemplateError& error) {
  if (error.line == 0) return fail("chat template: {}", error.message);
  return fail("chat template, line {}, column {}: {}", error.line, error.column, error.message);
}

// Runs `work`, which may throw what the engine throws.
template <typename Work>
auto guarded(Work work) -> Result<decltype(work())> {
  try {
    return work();
  } catch (const jinja::TemplateError& error) {
    return failure(error);
  } catch (const std::bad_alloc&) {
    return fail("chat template: out of memory");
  } catch (const std::exception& error) {
    return fail("chat template: {}", error.what());
  }
}

bool holds_content(std::string_view variable) {
  return variable == "messages" || variable == "tools" || variable == "documents";
}

}  // namespace

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  return guarded(
      [&] { return ChatTemplate(std::make_unique<Program>(Program{jinja::parse(source)})); });
}

Result<std::vector<Segment>> ChatTemplate::render_segments(const Json& variables) const {
  if (!variables.is_object()) return fail("chat template: the variables are no object");
  return guarded([&] {
    jinja::Limits limits;
    limits.steps_max = limits_.steps_max;
    limits.depth_max = limits_.depth_max;
    limits.output_bytes_max = limits_.output_bytes_max;
    limits.memory_bytes_max = limits_.memory_bytes_max;
    const jinja::Program& program = program_->program;
    jinja::Interpreter interpreter(program, limits);
    for (jinja::Symbol symbol = 0; symbol < program.names.size(); ++symbol) {
      const std::string& name = program.names[symbol];
      const auto found = variables.find(name);
      if (found == variables.end()) continue;
      interpreter.define(
          symbol, name == "messages"
                      ? jinja::messages_from_json(interpreter.heap(), *found)
                      : jinja::from_json(interpreter.heap(), *found,
                                         holds_content(name) ? jinja::kOutside : jinja::kTemplate));
    }
    const jinja::MarkedText text = interpreter.render();
    std::vector<Segment> segments;
    u64 begin = 0;
    for (const jinja::Run& run : text.runs) {
      segments.push_back({text.bytes.substr(begin, run.end - begin), run.origin != jinja::kTemplate,
                          std::max(run.origin, -1)});
      begin = run.end;
    }
    if (begin < text.bytes.size()) segments.push_back({text.bytes.substr(begin), false, -1});
    return segments;
  });
}

Result<std::string> ChatTemplate::render(const Json& variables) const {
  TRY(const auto segments, render_segments(variables));
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

}  // namespace orrery::text
