#include "apps/chat_printer.h"

#include <algorithm>

#include "apps/terminal.h"

namespace orrery::apps {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

// Length of the longest end of `text` that begins `mark`.
std::size_t open_suffix(std::string_view text, std::string_view mark) {
  for (std::size_t n = std::min(text.size(), mark.size() - 1); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return n;
  return 0;
}

}  // namespace

ChatPrinter::ChatPrinter(bool begins_thinking) : thinking_(begins_thinking) {
  if (thinking_) print(out_style().thought);
}

std::string ChatPrinter::take(bool all) {
  const Style& s = out_style();
  std::string out;
  for (;;) {
    const std::string_view mark = thinking_ ? kClose : kOpen;
    const std::size_t found = held_.find(mark);
    if (found == std::string::npos) break;
    // The marks themselves are dimmed, too.
    const std::size_t cut = thinking_ ? found + mark.size() : found;
    out.append(held_, 0, cut) += thinking_ ? s.reset : s.thought;
    held_.erase(0, cut);
    if (!thinking_) {
      out += mark;
      held_.erase(0, mark.size());
    }
    thinking_ = !thinking_;
  }
  const std::size_t kept = all ? 0 : open_suffix(held_, thinking_ ? kClose : kOpen);
  out.append(held_, 0, held_.size() - kept);
  held_.erase(0, held_.size() - kept);
  return out;
}

bool ChatPrinter::push(std::string_view text) {
  held_ += text;
  return print(take(false));
}

bool ChatPrinter::finish() {
  std::string out = take(true);
  if (thinking_) out += out_style().reset;
  return print(out);
}

}  // namespace orrery::apps
