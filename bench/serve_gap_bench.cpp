// serve_gap_bench MODEL: what a long prompt costs those who are reading, and what the cache saves.
//
// Four replies stream; a prompt of 4,000 words arrives. Printed: their median and worst gap before
// and while it is read, and its time to the first token. Then a prompt of 2,000 tokens twice, each
// time with another question behind it: the second should hardly wait.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "engine/scheduler.h"

namespace {

using namespace orrery;
using engine::Submission;
using Clock = std::chrono::steady_clock;

class Ear final : public engine::Listener {
 public:
  void on_token(const engine::TokenEvent&) override {
    const std::lock_guard lock(mutex_);
    times_.push_back(Clock::now());
    changed_.notify_all();
  }
  void on_end(const engine::Outcome& outcome) override {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
    changed_.notify_all();
  }
  void wait_tokens(u64 count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcome_ || times_.size() >= count; });
  }
  engine::Outcome wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcome_.has_value(); });
    return *outcome_;
  }
  // Milliseconds between tokens from `begin` to `end`.
  void add_gaps(Clock::time_point begin, Clock::time_point end, std::vector<f64>& to) {
    const std::lock_guard lock(mutex_);
    for (u64 i = 1; i < times_.size(); ++i)
      if (times_[i] > begin && times_[i - 1] < end)
        to.push_back(std::chrono::duration<f64>(times_[i] - times_[i - 1]).count() * 1000);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Clock::time_point> times_;
  std::optional<engine::Outcome> outcome_;
};

Submission words(const engine::Engine& engine, u32 tokens, u32 seed, u32 reply) {
  Submission s;
  for (u32 i = 0; i < tokens; ++i)
    s.prompt.push_back(text::TokenId(1000 + (seed * 7919 + i * 31) % 4001) %
                       text::TokenId(engine.model().spec.vocab));
  s.generate.tokens_max = reply;
  s.generate.ignore_stop_tokens = true;
  return s;
}

std::shared_ptr<Ear> submit(engine::Scheduler& scheduler, Submission s) {
  auto ear = std::make_shared<Ear>();
  if (auto admitted = scheduler.submit(std::move(s), ear); !admitted) {
    fmt::print(stderr, "{}\n", admitted.error().error.message);
    std::exit(1);
  }
  return ear;
}

void print_gaps(const char* when, std::vector<f64> gaps) {
  std::sort(gaps.begin(), gaps.end());
  if (!gaps.empty())
    fmt::print("{}: {} gaps, median {:.1f} ms, worst {:.1f} ms\n", when, gaps.size(),
               gaps[gaps.size() / 2], gaps.back());
}

f64 first_token_ms(const engine::Outcome& outcome) {
  return (outcome.timings.queue + outcome.timings.prefill) * 1000;
}

void measure_gaps(engine::Engine& engine, engine::Scheduler& scheduler) {
  std::vector<std::shared_ptr<Ear>> streams;
  for (u32 i = 0; i < 4; ++i) streams.push_back(submit(scheduler, words(engine, 195, i, 1500)));
  for (const auto& one : streams) one->wait_tokens(64);
  const auto calm = Clock::now();
  for (const auto& one : streams) one->wait_tokens(192);
  const auto begin = Clock::now();
  const auto outcome = submit(scheduler, words(engine, 5400, 9, 1))->wait();
  const auto end = Clock::now();
  std::vector<f64> before, during;
  for (const auto& one : streams) {
    one->add_gaps(calm, begin, before);
    one->add_gaps(begin, end, during);
  }
  print_gaps("4 streams alone", before);
  print_gaps("while 5,400 tokens (4,000 words) are read", during);
  fmt::print("their first token: {:.0f} ms\n", first_token_ms(outcome));
}

void measure_prefix(engine::Engine& engine, engine::Scheduler& scheduler) {
  Submission first = words(engine, 2030, 77, 1), second = first;
  for (u32 i = 2000; i < 2030; ++i) second.prompt[i] = first.prompt[i] + 1;
  const auto one = submit(scheduler, first)->wait(), two = submit(scheduler, second)->wait();
  fmt::print(
      "2,000 shared tokens: first token after {:.1f} ms, then {:.1f} ms ({:.1f} %), {} cached\n",
      first_token_ms(one), first_token_ms(two), 100 * first_token_ms(two) / first_token_ms(one),
      two.usage.cached);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: serve_gap_bench MODEL\n");
    return 2;
  }
  auto engine = engine::Engine::open(argv[1], {.logit_rows = 8, .sequences = 8});
  if (!engine) {
    fmt::print(stderr, "{}\n", engine.error().message);
    return 1;
  }
  for (u32 round = 0; round < 3; ++round) {
    auto scheduler = engine::Scheduler::start(**engine, {});
    if (!scheduler) return 1;
    measure_prefix(**engine, **scheduler);
    measure_gaps(**engine, **scheduler);
  }
  return 0;
}
