#include "apps/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

namespace orrery::apps {
namespace {

constexpr Style kPlain{};
constexpr Style kColours{.reset = "\x1b[0m",
                         .strong = "\x1b[1m",
                         .dim = "\x1b[2m",
                         .accent = "\x1b[38;5;179m",
                         .error = "\x1b[1;31m",
                         .prompt = "\x1b[1;38;5;179m",
                         .thought = "\x1b[2;3m"};

bool wants_colours(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return isatty(descriptor) && !(no_color && *no_color) &&
         !(term && std::string_view(term) == "dumb");
}

bool closed = false;
volatile std::sig_atomic_t interrupts = 0;

termios echoing{};  // the terminal's settings before EchoOff
volatile std::sig_atomic_t echo_is_off = 0;

extern "C" void on_interrupt(int) {
  if (interrupts > 0) {
    if (echo_is_off) tcsetattr(STDIN_FILENO, TCSANOW, &echoing);
    _exit(1);
  }
  interrupts = 1;
}

}  // namespace

const Style& out_style() {
  static const bool colours = wants_colours(STDOUT_FILENO);
  return colours ? kColours : kPlain;
}
const Style& err_style() {
  static const bool colours = wants_colours(STDERR_FILENO);
  return colours ? kColours : kPlain;
}

bool stdin_is_terminal() { return isatty(STDIN_FILENO); }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO); }
bool stderr_is_terminal() { return isatty(STDERR_FILENO); }

u32 terminal_columns() {
  winsize size{};
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO})
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return true;
  closed = closed || errno == EPIPE;
  return false;
}

bool output_closed() { return closed; }

f64 seconds_since_start() {
  static const auto start = std::chrono::steady_clock::now();
  return std::chrono::duration<f64>(std::chrono::steady_clock::now() - start).count();
}

InterruptFlag::InterruptFlag() {
  interrupts = 0;
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
}
InterruptFlag::~InterruptFlag() { std::signal(SIGINT, SIG_DFL); }
bool InterruptFlag::is_set() const { return interrupts > 0; }
bool InterruptFlag::take() {
  const bool was = interrupts > 0;
  interrupts = 0;
  return was;
}

EchoOff::EchoOff() {
  if (tcgetattr(STDIN_FILENO, &echoing) != 0) return;
  termios quiet = echoing;
  quiet.c_lflag &= ~tcflag_t(ECHO);
  echo_is_off = tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
}
EchoOff::~EchoOff() {
  if (echo_is_off) tcsetattr(STDIN_FILENO, TCSANOW, &echoing);
  echo_is_off = 0;
}

std::string bytes_text(u64 bytes) {
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", f64(bytes) / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", f64(bytes) / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.1f} kB", f64(bytes) / 1e3);
  return fmt::format("{} B", bytes);
}

std::string count_text(u64 count) {
  if (count >= 1'000'000'000) return fmt::format("{:.2f} B", f64(count) / 1e9);
  if (count >= 1'000'000) return fmt::format("{:.1f} M", f64(count) / 1e6);
  return grouped(count);
}

std::string grouped(u64 number) {
  std::string text = std::to_string(number);
  for (i64 at = i64(text.size()) - 3; at > 0; at -= 3) text.insert(std::size_t(at), 1, ',');
  return text;
}

u32 columns_of(std::string_view text) {
  std::mbstate_t state{};
  u32 columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    wchar_t c = 0;
    const std::size_t used = std::mbrtowc(&c, text.data() + at, text.size() - at, &state);
    if (used == 0 || used > text.size()) {  // a NUL, or no valid character: one column for the byte
      state = {};
      ++columns, ++at;
      continue;
    }
    const int width = wcwidth(c);
    columns += u32(width > 0 ? width : 0);
    at += used;
  }
  return columns;
}

}  // namespace orrery::apps
