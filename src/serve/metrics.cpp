#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::serve {
namespace {

// The value of a label, as the text form wants it.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    c == '\n' ? void(out += "\\n") : void(out += c);
  }
  return out;
}

void line(std::string& out, std::string_view kind, std::string_view name, std::string_view labels,
          std::string_view help, f64 value) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0}{{{3}}} {4}\n", name, help, kind, labels,
                     value);
}

std::string_view reason(engine::Finish finish) {
  switch (finish) {
    case engine::Finish::kStopToken:
    case engine::Finish::kStopText:
      return "stop";
    case engine::Finish::kError:
      return "error";
    case engine::Finish::kCancelled:
      return "abort";
    default:
      return "length";
  }
}

}  // namespace

void SecondsHistogram::add(f64 seconds) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counts_[u64(bound - kBounds.begin())];
  ++count_;
  sum_ += seconds;
}

void SecondsHistogram::write(std::string& out, std::string_view name, std::string_view labels,
                             std::string_view help) const {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} histogram\n", name, help);
  u64 below = 0;
  for (u64 i = 0; i < kBounds.size(); ++i) {
    below += counts_[i];
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, kBounds[i], below);
  }
  out +=
      fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                  name, labels, count_, sum_);
}

void Metrics::count(const engine::Outcome& outcome) {
  ++finished_[std::string(reason(outcome.finish))];
  const engine::PhaseTimings& t = outcome.timings;
  queue_.add(t.queue);
  total_.add(t.queue + t.prefill + t.decode);
  if (outcome.usage.completion == 0) return;
  first_token_.add(t.queue + t.prefill);
  if (outcome.usage.completion > 1) per_token_.add(t.decode / (outcome.usage.completion - 1));
}

std::string Metrics::text(const engine::SchedulerStats& s, std::string_view model) const {
  const std::string labels = fmt::format("model_name=\"{}\"", escaped(model));
  std::string out;
  const auto gauge = [&](std::string_view name, std::string_view help, f64 value) {
    line(out, "gauge", name, labels, help, value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, f64 value) {
    line(out, "counter", name, labels, help, value);
  };
  gauge("vllm:num_requests_running", "Requests that are being computed.", s.running);
  gauge("vllm:num_requests_waiting", "Requests that wait.", s.waiting);
  if (s.pages > 0)
    gauge("vllm:kv_cache_usage_perc", "Share of the cache's pages in use, 1 is all of them.",
          1 - f64(s.pages_free + s.pages_cached) / s.pages);
  counter("vllm:prompt_tokens_total", "Tokens of prompts.", f64(s.prompt_tokens));
  counter("vllm:generation_tokens_total", "Tokens of replies.", f64(s.completion_tokens));
  counter("vllm:prefix_cache_queries_total", "Tokens looked for in the cache.",
          f64(s.prompt_tokens));
  counter("vllm:prefix_cache_hits_total", "Tokens found in the cache.", f64(s.cached_tokens));
  counter("vllm:num_preemptions_total", "Requests that gave up their place.", f64(s.preemptions));
  out +=
      "# HELP vllm:request_success_total Replies that ended, by why.\n"
      "# TYPE vllm:request_success_total counter\n";
  for (const auto& [why, count] : finished_)
    out += fmt::format("vllm:request_success_total{{{},finished_reason=\"{}\"}} {}\n", labels, why,
                       count);
  first_token_.write(out, "vllm:time_to_first_token_seconds", labels,
                     "From arrival to first token.");
  per_token_.write(out, "vllm:time_per_output_token_seconds", labels, "Between tokens, a mean.");
  total_.write(out, "vllm:e2e_request_latency_seconds", labels, "From arrival to the end.");
  queue_.write(out, "vllm:request_queue_time_seconds", labels, "Waiting before the first step.");
  gauge("orrery:disk_pages", "Cached pages on disk.", f64(s.disk.pages));
  gauge("orrery:disk_bytes", "Their bytes.", f64(s.disk.bytes));
  counter("orrery:disk_pages_read_total", "Pages that came back from disk.", f64(s.disk.read));
  counter("orrery:disk_pages_written_total", "Pages written to disk.", f64(s.disk.written));
  counter("orrery:disk_pages_damaged_total", "Pages on disk that were damaged.",
          f64(s.disk.damaged));
  counter("orrery:disk_writes_failed_total", "Pages that could not be written.",
          f64(s.disk.failed));
  counter("orrery:steps_total", "Passes of the model.", f64(s.steps));
  counter("orrery:forward_seconds_total", "Time in the model.", s.forward_seconds);
  counter("orrery:busy_seconds_total", "Time in steps as a whole.", s.busy_seconds);
  u64 ended = 0;
  for (const u64 count : s.ended) ended += count;
  counter("orrery:requests_taken_total", "Requests that the scheduler took.", f64(s.submitted));
  counter("orrery:requests_ended_total", "Those of them that have ended, however.", f64(ended));
  counter("orrery:requests_refused_total", "Requests that found the queue full.", f64(s.refused));
  gauge("orrery:decode_gap_seconds_max", "The longest wait between two tokens of a reply.",
        s.decode_gap_max);
  return out;
}

}  // namespace orrery::serve
