#include "apps/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "apps/terminal.h"

namespace orrery::apps {
namespace {

constexpr u32 kBarColumns = 28;
constexpr auto kDrawEvery = std::chrono::milliseconds(100);
// A job that is over sooner needs no bar, and a flicker would only disturb.
constexpr auto kFirstDraw = std::chrono::milliseconds(200);

std::string amount(f64 units, std::string_view unit) {
  if (unit == "bytes") return bytes_text(u64(units));
  return units < 100 && units != f64(u64(units)) ? fmt::format("{:.1f}", units)
                                                 : grouped(u64(units));
}

std::string duration_text(f64 seconds) {
  const u64 s = u64(std::min(seconds, 1e9) + 0.5);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{}:{:02} min", s / 60, s % 60);
  return fmt::format("{}:{:02} h", s / 3600, s / 60 % 60);
}

std::string bar(f64 part) {
  const u32 eighths = u32(std::clamp(part, 0.0, 1.0) * kBarColumns * 8);
  static constexpr const char* kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string text;
  for (u32 i = 0; i < eighths / 8; ++i) text += "█";
  text += kParts[eighths % 8];
  const u32 used = divide_up(eighths, 8u);
  text.append(kBarColumns - used, ' ');
  return text;
}

}  // namespace

ProgressBar::ProgressBar() : shown_(stderr_is_terminal()) {}

void ProgressBar::begin(std::string_view what, u64 total, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  wipe();
  what_ = what;
  unit_ = unit;
  note_.clear();
  total_ = total;
  done_ = 0;
  start_ = Clock::now();
  next_draw_ = (start_ + kFirstDraw).time_since_epoch().count();
}

void ProgressBar::advance(u64 units) {
  done_ += units;
  if (!shown_ || Clock::now().time_since_epoch().count() < next_draw_) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // another thread draws just now
  next_draw_ = (Clock::now() + kDrawEvery).time_since_epoch().count();
  draw();
}

void ProgressBar::note(std::string text) {
  const std::lock_guard lock(mutex_);
  note_ = std::move(text);
}

void ProgressBar::end() {
  const std::lock_guard lock(mutex_);
  wipe();
}

std::string ProgressBar::line() const {
  const f64 done = f64(done_.load()), total = f64(std::max<u64>(total_, 1));
  const f64 seconds = std::chrono::duration<f64>(Clock::now() - start_).count();
  const f64 rate = seconds > 0 ? done / seconds : 0;
  const Style& s = err_style();
  std::string text = fmt::format("{}  {}{}{} {:3.0f} %  {} / {}{}{}", what_, s.accent,
                                 bar(done / total), s.reset, 100 * std::min(1.0, done / total),
                                 amount(done, unit_), amount(f64(total_), unit_),
                                 unit_ == "bytes" ? "" : " ", unit_ == "bytes" ? "" : unit_);
  text += fmt::format("  {}{}/s", s.dim, amount(rate, unit_));
  if (rate > 0 && done < total)
    text += fmt::format("  {} left", duration_text((total - done) / rate));
  text += s.reset;
  if (!note_.empty()) text += "  " + note_;
  return text;
}

void ProgressBar::draw() {
  // Autowrap off while the line is written: a narrow terminal cuts it instead of scrolling.
  fmt::print(stderr, "\r\x1b[?7l{}\x1b[K\x1b[?7h", line());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::wipe() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace orrery::apps
