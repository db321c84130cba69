// TraceEventJson: one line an event, times in microseconds with three decimals, written as integers
// so that hours of nanoseconds lose nothing.
#include "trace/trace_event_json.h"

#include <fmt/format.h>

#include <cmath>

namespace orrery::trace {
namespace {

// A JSON string in quotes. Names are UTF-8 already; only what JSON forbids is escaped.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (u8(c) < 0x20)
      out += fmt::format("\\u{:04x}", u8(c));
    else
      out += c;
  }
  return out += '"';
}

std::string microseconds(u64 ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

}  // namespace

TraceEventJson::TraceEventJson(u64 bytes_max) : bytes_max_(bytes_max) {}

void TraceEventJson::thread_name(u32 thread, std::string_view name) {
  append(fmt::format(R"({{"name":"thread_name","ph":"M","pid":1,"tid":{},"args":{{"name":{}}}}})",
                     thread, quoted(name)));
}

void TraceEventJson::complete(std::string_view name, std::string_view category, u32 thread,
                              u64 begin_ns, u64 duration_ns, std::string_view detail) {
  const std::string args =
      detail.empty() ? "" : fmt::format(R"(,"args":{{"detail":{}}})", quoted(detail));
  append(fmt::format(R"({{"name":{},"cat":{},"ph":"X","pid":1,"tid":{},"ts":{},"dur":{}{}}})",
                     quoted(name), quoted(category), thread, microseconds(begin_ns),
                     microseconds(duration_ns), args));
}

void TraceEventJson::instant(std::string_view name, std::string_view category, u32 thread,
                             u64 time_ns) {
  append(fmt::format(R"({{"name":{},"cat":{},"ph":"i","s":"t","pid":1,"tid":{},"ts":{}}})",
                     quoted(name), quoted(category), thread, microseconds(time_ns)));
}

void TraceEventJson::counter(std::string_view name, u64 time_ns, f64 value) {
  if (!std::isfinite(value)) return;
  append(fmt::format(R"({{"name":{},"ph":"C","pid":1,"ts":{},"args":{{"value":{}}}}})",
                     quoted(name), microseconds(time_ns), value));
}

void TraceEventJson::append(std::string_view event) {
  if (events_.size() + event.size() + 2 > bytes_max_) {
    ++dropped_;
    return;
  }
  if (!events_.empty()) events_ += ",\n";
  events_ += event;
}

std::string TraceEventJson::document() const {
  return fmt::format("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", events_);
}

}  // namespace orrery::trace
