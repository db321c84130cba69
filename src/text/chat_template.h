// ChatTemplate: a model's Jinja template, which turns messages into the prompt that it was trained
// on.
//
// Rendered by our own Jinja engine (text/jinja/) with the semantics of jinja2's sandbox as
// transformers sets it up (trim_blocks, lstrip_blocks, loopcontrols, tojson, raise_exception,
// strftime_now), under limits on steps, depth and output. A template that cannot be rendered is an
// error with line and column, never a fallback.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

using Json = nlohmann::ordered_json;

// A part of a rendered chat that has one origin. Text from messages, tools and documents must never
// become a control token, so the tokenizer may find special tokens only inside template text; the
// ordinary text on both sides of a border is still tokenized together, as the model has learnt it.
struct Segment {
  std::string text;
  bool from_content;  // of messages, tools or documents; otherwise the template's own (a role mark)
  i32 message;        // the index of the message it came from, or -1
};

class ChatTemplate {
 public:
  [[nodiscard]] static Result<ChatTemplate> parse(std::string_view source);

  // `variables`: an object with messages, tools, add_generation_prompt, bos_token, ... and whatever
  // else the caller passes (enable_thinking, documents). Absent names are undefined, as in jinja2.
  [[nodiscard]] Result<std::string> render(const Json& variables) const;

  // The same text in parts by origin. Whatever the template does to a string (slices, strip,
  // replace, join, tojson, ...) its bytes keep their origin. Other variables than messages, tools
  // and documents are trusted, and so is a message's role when it is one that templates know.
  [[nodiscard]] Result<std::vector<Segment>> render_segments(const Json& variables) const;

  struct Limits {
    u64 steps_max = 10'000'000;
    u32 depth_max = 200;  // macros inside each other
    u64 output_bytes_max = u64(64) << 20;
    u64 memory_bytes_max = u64(128) << 20;  // of all values at one time
  };
  void set_limits(const Limits& limits) { limits_ = limits; }

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Program;  // the parsed template
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
  Limits limits_;
};

}  // namespace orrery::text
