// Terminal: what the program knows of the screen it writes to: whether it is one, its width, its
// colours.
//
// Colours are used only on a terminal and never when NO_COLOR is set (no-color.org) or TERM is
// "dumb".
#pragma once

#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::apps {

// Escape sequences by purpose; all empty where there are no colours.
struct Style {
  std::string_view reset, strong, dim, accent, error, prompt, thought;
  [[nodiscard]] bool colours() const { return !reset.empty(); }
};
[[nodiscard]] const Style& out_style();  // of stdout
[[nodiscard]] const Style& err_style();  // of stderr

[[nodiscard]] bool stdin_is_terminal();
[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] bool stderr_is_terminal();
[[nodiscard]] u32 terminal_columns();  // 80 when unknown

// Writes to stdout; false when the reader is gone or the disk is full.
bool print(std::string_view text);
// The reader of stdout has gone away (EPIPE).
[[nodiscard]] bool output_closed();

[[nodiscard]] f64 seconds_since_start();  // of this process, nearly

// While it lives, Ctrl-C sets a flag; a second Ctrl-C before take() ends the program.
class InterruptFlag {
 public:
  InterruptFlag();
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;
  [[nodiscard]] bool is_set() const;
  bool take();  // whether it was set; clears it
};

// While it lives, what is typed is not shown; it waits for whoever reads next. One at a time.
class EchoOff {
 public:
  EchoOff();
  ~EchoOff();
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
};

// For people: "98.4 MB", "1.32 GB"; "134.5 M"; "1,024".
[[nodiscard]] std::string bytes_text(u64 bytes);
[[nodiscard]] std::string count_text(u64 count);
[[nodiscard]] std::string grouped(u64 number);

// Columns that a UTF-8 text takes on screen: wide East Asian characters and most emoji take two.
[[nodiscard]] u32 columns_of(std::string_view text);

}  // namespace orrery::apps
