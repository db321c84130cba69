// ChatTemplate: a model's Jinja template, which turns messages into the prompt that it was trained on.
//
// Rendered by our own Jinja engine (text/jinja/) with the semantics of jinja2's sandbox as transformers
// sets it up (trim_blocks, lstrip_blocks, loopcontrols, tojson, raise_exception, strftime_now), under
// limits on steps, depth and output. A template that cannot be rendered is an error with line and
// column, never a fallback.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

using Json = nlohmann::ordered_json;

class ChatTemplate {
 public:
  [[nodiscard]] static Result<ChatTemplate> parse(std::string_view source);

  // `variables`: an object with messages, tools, add_generation_prompt, bos_token, ... and whatever
  // else the caller passes (enable_thinking, documents). Absent names are undefined, as in jinja2.
  [[nodiscard]] Result<std::string> render(const Json& variables) const;

  struct Limits {
    u64 steps_max = 10'000'000;
    u32 depth_max = 200;
    u64 output_bytes_max = u64(64) << 20;
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
