// ChatPrinter: a reply on the screen as it grows, with thoughts (<think> … </think>) dimmed.
//
// The marks may come in pieces; characters that could still become one are held back. Without
// colours the text is printed as it is.
#pragma once

#include <string>
#include <string_view>

namespace orrery::apps {

class ChatPrinter {
 public:
  explicit ChatPrinter(bool begins_thinking);
  // False when nobody reads any more.
  bool push(std::string_view text);
  bool finish();

 private:
  [[nodiscard]] std::string take(bool all);
  std::string held_;
  bool thinking_;
};

}  // namespace orrery::apps
