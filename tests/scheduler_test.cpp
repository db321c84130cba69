// The scheduler on real engines: what it gives is what each request gives alone.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace orrery::engine {
namespace {

const std::string kTiny = ORRERY_SOURCE_DIR "/tests/golden/models/llama_f32/model.gguf";

class Recorder final : public Listener {
 public:
  void on_token(const TokenEvent& event) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(outcome_) << "a token after the end";
    tokens_.push_back(event.id);
    text_ += event.text;
  }
  void on_end(const Outcome& outcome) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(outcome_) << "ended twice";
    outcome_ = outcome;
    text_ += outcome.rest;
    changed_.notify_all();
  }
  Outcome wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcome_.has_value(); });
    return *outcome_;
  }
  std::vector<text::TokenId> tokens() {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<text::TokenId> tokens_;
  std::string text_;
  std::optional<Outcome> outcome_;
};

TEST(Scheduler, ManyTogetherAreEachAlone) {
  auto engine = Engine::open(kTiny, {.threads = 2, .logit_rows = 16, .sequences = 17});
  ASSERT_TRUE(engine);
  std::vector<Submission> submissions;
  std::vector<Reply> alone;
  for (u32 i = 0; i < 40; ++i) {
    Submission s;
    for (u32 k = 0; k < 3 + i * 5; ++k) s.prompt.push_back(text::TokenId((i * 31 + k * 7) % 90));
    s.generate.tokens_max = 1 + i % 23;
    s.generate.sampler.temperature = i % 2 ? 0 : 1.3f;
    s.generate.sampler.seed = i;
    auto sequence = (*engine)->start();
    auto reply = (*engine)->generate(*sequence, s.prompt, s.generate, {});
    ASSERT_TRUE(reply);
    alone.push_back(*reply);
    submissions.push_back(std::move(s));
  }
  auto scheduler = Scheduler::start(**engine, {});
  ASSERT_TRUE(scheduler);
  std::vector<std::shared_ptr<Recorder>> recorders;
  for (const Submission& s : submissions) {
    recorders.push_back(std::make_shared<Recorder>());
    ASSERT_TRUE((*scheduler)->submit(s, recorders.back()));
  }
  for (u32 i = 0; i < submissions.size(); ++i) {
    const Outcome outcome = recorders[i]->wait();
    EXPECT_EQ(recorders[i]->tokens(), alone[i].tokens) << i;
    EXPECT_EQ(recorders[i]->text(), alone[i].text) << i;
    EXPECT_EQ(outcome.finish, alone[i].finish);
  }
}

}  // namespace
}  // namespace orrery::engine
