// The scheduler on real engines: what it gives is what each request gives alone, whoever else is
// there, whatever the cache knows and however often it is put out.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

namespace orrery::engine {
namespace {

const std::string kModels = ORRERY_SOURCE_DIR "/tests/golden/models/";
const std::string kTiny = kModels + "llama_f32/model.gguf";

std::filesystem::path smollm2() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base = cache && *cache
                                         ? std::filesystem::path(cache)
                                         : std::filesystem::path(home ? home : "") / ".cache";
  return base / "orrery/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

class Recorder final : public Listener {
 public:
  void on_hidden(u32 position, std::span<const f32> state) override {
    EXPECT_EQ(position, hidden_.size()) << "each position once, in order";
    hidden_.push_back(state[0]);
  }
  void on_prompt(std::span<const TokenEvent> prompt) override { prompt_count_ = prompt.size(); }
  void on_token(const TokenEvent& event) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(outcome_) << "a token after the end";
    tokens_.push_back(event.id);
    text_ += event.text;
    changed_.notify_all();
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
  void wait_tokens(u64 count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcome_ || tokens_.size() >= count; });
  }
  std::vector<text::TokenId> tokens() {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  // After the end.
  const std::vector<f32>& hidden() const { return hidden_; }
  u64 prompt_count() const { return prompt_count_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<text::TokenId> tokens_;
  std::vector<f32> hidden_;
  u64 prompt_count_ = 0;
  std::string text_;
  std::optional<Outcome> outcome_;
};

// What a request gives alone, on the engine itself.
Reply alone(Engine& engine, const Submission& s) {
  auto sequence = engine.start();
  EXPECT_TRUE(sequence);
  auto reply = engine.generate(*sequence, s.prompt, s.generate, {});
  EXPECT_TRUE(reply);
  return reply ? *reply : Reply();
}

std::shared_ptr<Recorder> submit(Scheduler& scheduler, const Submission& s) {
  auto recorder = std::make_shared<Recorder>();
  EXPECT_TRUE(scheduler.submit(s, recorder));
  return recorder;
}

// Texts that begin alike in groups, of all lengths around those of pages.
std::vector<Submission> family_of_texts(u32 count, u32 longest, u32 vocab) {
  std::vector<Submission> all;
  for (u32 i = 0; i < count; ++i) {
    Submission s;
    const u32 length = 1 + (i * 37) % longest, shared = length * (i % 5) / 4;
    for (u32 k = 0; k < length; ++k)
      s.prompt.push_back(text::TokenId((k < shared ? k * 7 + i % 2 : i * 31 + k * 11) % vocab));
    s.generate.tokens_max = 1 + i % 13;
    s.generate.sampler.temperature = i % 4 == 3 ? 1.3f : 0;
    s.generate.sampler.seed = i;
    s.owner = i % 3 ? "a" : "b";
    all.push_back(std::move(s));
  }
  return all;
}

// Gives all of them at once, three times, to a scheduler whose cache knows more each time.
SchedulerStats expect_same_bits(Engine& engine, const std::vector<Submission>& submissions,
                                const SchedulerOptions& options, u32 pages_held = 0) {
  std::vector<Reply> expected;
  for (const Submission& s : submissions) expected.push_back(alone(engine, s));
  auto scheduler = Scheduler::start(engine, options);
  EXPECT_TRUE(scheduler);
  u64 prompt_tokens = 0, reply_tokens = 0;
  for (u32 round = 0; round < 3; ++round) {
    std::vector<std::shared_ptr<Recorder>> recorders;
    for (const Submission& s : submissions) recorders.push_back(submit(**scheduler, s));
    for (u32 i = 0; i < submissions.size(); ++i) {
      const Outcome outcome = recorders[i]->wait();
      EXPECT_EQ(recorders[i]->tokens(), expected[i].tokens) << "round " << round << ", " << i;
      EXPECT_EQ(recorders[i]->text(), expected[i].text) << i;
      EXPECT_EQ(outcome.finish, expected[i].finish);
      prompt_tokens += outcome.usage.prompt;
      reply_tokens += outcome.usage.completion;
    }
  }
  (*scheduler)->drain(60);
  (*scheduler)->wait_drained();
  const SchedulerStats stats = (*scheduler)->stats();
  EXPECT_EQ(stats.pages_free + stats.pages_cached + pages_held, stats.pages) << "pages are lost";
  EXPECT_EQ(stats.prompt_tokens, prompt_tokens);
  EXPECT_EQ(stats.completion_tokens, reply_tokens);
  u64 ended = 0;
  for (const u64 count : stats.ended) ended += count;
  EXPECT_EQ(ended, 3 * submissions.size());
  return stats;
}

TEST(Scheduler, BatchAndCacheChangeNoBitOfAnyFamily) {
  // Windows, latents, chosen keys, experts, states, and ropes that read the length of the text.
  u32 tried = 0, with_states = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kModels)) {
    SCOPED_TRACE(entry.path().filename());
    const auto file = entry.path() / "model.gguf";
    auto engine = Engine::open(
        std::filesystem::exists(file) ? file : entry.path() / "hf",
        {.threads = 2, .context = 256, .logit_rows = 16, .sequences = 16, .states_kept = 8});
    ASSERT_TRUE(engine) << engine.error().message;
    const u32 vocab = std::min((*engine)->model().spec.vocab, 90u);
    const auto stats = expect_same_bits(**engine, family_of_texts(20, 180, vocab), {});
    EXPECT_GT(stats.cached_tokens, 0u);
    ++tried;
    with_states += !(*engine)->cache().rewinds();
  }
  EXPECT_GE(tried, 60u);
  EXPECT_GE(with_states, 3u);
}

TEST(Scheduler, TwoHundredPromptsInABatchOfSixteen) {
  auto engine =
      Engine::open(kTiny, {.threads = 2, .context = 512, .logit_rows = 16, .sequences = 16});
  ASSERT_TRUE(engine);
  const auto stats = expect_same_bits(**engine, family_of_texts(200, 300, 90), {});
  EXPECT_GT(stats.cached_tokens, stats.prompt_tokens / 3);
}

TEST(Scheduler, SmolLM2InABatchOfSixteenAndFromTheCache) {
  auto engine = Engine::open(smollm2(), {.context = 1024, .logit_rows = 16, .sequences = 16});
  ASSERT_TRUE(engine) << engine.error().message << " (./dev test fetches the model)";
  const auto stats = expect_same_bits(**engine, family_of_texts(32, 400, 20'000), {});
  EXPECT_GT(stats.cached_tokens, stats.prompt_tokens / 3);
}

// A folder that is gone afterwards.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("orrery_scheduler_{}", ::getpid());
  Folder() { std::filesystem::remove_all(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(Scheduler, DiskAndRestartChangeNoBitOfAnyFamily) {
  u32 tried = 0;
  for (const char* name :
       {"llama_f32/model.gguf", "mistral_window", "deepseek_v3", "deepseek_v32", "qwen3_next"}) {
    SCOPED_TRACE(name);
    const Folder folder;
    const SchedulerOptions options{.disk = {.folder = folder.path}};
    auto engine = Engine::open(kModels + name,
                               {.threads = 2, .context = 256, .logit_rows = 8, .sequences = 9});
    ASSERT_TRUE(engine) << engine.error().message;
    const bool pages = (*engine)->cache().rewinds();
    const auto submissions = family_of_texts(20, 180, 90);
    // Most pages are held by somebody else, so that texts are given up and come back from the disk.
    forward::PagePool& pool = (*engine)->cache().pool();
    const auto greedy = pool.open_sequence();
    const u32 held = pool.free() - 8;
    ASSERT_TRUE(pool.reserve(*greedy, held * forward::kPageTokens));
    const auto spilt = expect_same_bits(**engine, submissions, options, held);
    EXPECT_EQ(spilt.disk.written > 0, pages);
    pool.close_sequence(*greedy);
    const auto restarted = expect_same_bits(**engine, submissions, options);
    EXPECT_EQ(restarted.disk.read > 0, pages);
    EXPECT_EQ(restarted.disk.damaged, 0u);
    EXPECT_EQ(pool.free(), pool.count());
    ++tried;
  }
  EXPECT_EQ(tried, 5u);
}

TEST(Scheduler, ASharedSystemPromptIsReadOnce) {
  auto engine = Engine::open(smollm2(), {.logit_rows = 4, .sequences = 4});
  ASSERT_TRUE(engine) << engine.error().message << " (./dev test fetches the model)";
  auto scheduler = Scheduler::start(**engine, {});
  ASSERT_TRUE(scheduler);
  Submission s;
  for (u32 k = 0; k < 2000; ++k) s.prompt.push_back(text::TokenId(1000 + k * 31 % 4001));
  s.generate.tokens_max = 1;
  const auto first_token = [&](text::TokenId question) {
    Submission asked = s;
    for (u32 k = 0; k < 20; ++k) asked.prompt.push_back(question + text::TokenId(k));
    const Outcome outcome = submit(**scheduler, asked)->wait();
    return std::pair(outcome.timings.queue + outcome.timings.prefill, outcome.usage.cached);
  };
  const auto [first, none] = first_token(500);
  const auto [second, cached] = first_token(700);
  EXPECT_EQ(none, 0u);
  EXPECT_EQ(cached, 2000u);
  // 5 % on a machine of one's own (bench/serve_gap_bench); here others may take the processor.
  EXPECT_LT(second, first / 5);
}

TEST(Scheduler, PreemptionChangesNoBit) {
  // Replies that outgrow the pages: somebody holds most of them.
  for (const char* name : {"llama_f32/model.gguf", "qwen3_next", "deepseek_v3"}) {
    SCOPED_TRACE(name);
    auto engine = Engine::open(
        kModels + name,
        {.threads = 2, .context = 256, .logit_rows = 8, .sequences = 9, .states_kept = 3});
    ASSERT_TRUE(engine) << engine.error().message;
    forward::PagePool& pool = (*engine)->cache().pool();
    const auto greedy = pool.open_sequence();
    ASSERT_TRUE(greedy);
    ASSERT_TRUE(pool.reserve(*greedy, (pool.free() - 7) * forward::kPageTokens));
    auto submissions = family_of_texts(12, 60, 90);
    for (Submission& s : submissions) {
      s.generate.tokens_max = 100;
      s.generate.ignore_stop_tokens = true;
    }
    std::vector<Reply> expected;
    for (const Submission& s : submissions) expected.push_back(alone(**engine, s));
    auto scheduler = Scheduler::start(**engine, {});
    ASSERT_TRUE(scheduler);
    std::vector<std::shared_ptr<Recorder>> recorders;
    for (Submission& s : submissions) {
      s.why = true;
      recorders.push_back(submit(**scheduler, s));
    }
    u32 preempted = 0;
    for (u32 i = 0; i < submissions.size(); ++i) {
      preempted += recorders[i]->wait().why->preemptions;
      EXPECT_EQ(recorders[i]->tokens(), expected[i].tokens) << i;
    }
    EXPECT_GT(preempted, 0u);
    EXPECT_EQ((*scheduler)->stats().preemptions, preempted);
    scheduler->reset();
    pool.close_sequence(*greedy);
    EXPECT_EQ(pool.free(), pool.count());
  }
}

class SchedulerOnTiny : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::open(
        kTiny, {.threads = 1, .context = 1024, .chunk = 128, .logit_rows = 4, .sequences = 4});
    ASSERT_TRUE(engine);
    engine_ = std::move(*engine);
  }
  static Submission text_of(u32 length, u32 seed, u32 reply = 4) {
    Submission s;
    for (u32 k = 0; k < length; ++k) s.prompt.push_back(text::TokenId((seed + k * 7) % 90));
    s.generate.tokens_max = reply;
    s.generate.ignore_stop_tokens = true;
    return s;
  }
  std::unique_ptr<Scheduler> start(const SchedulerOptions& options = {}) {
    auto scheduler = Scheduler::start(*engine_, options);
    EXPECT_TRUE(scheduler);
    return std::move(*scheduler);
  }
  std::unique_ptr<Engine> engine_;
};

TEST_F(SchedulerOnTiny, UsageTellsWhatCameFromTheCache) {
  auto scheduler = start();
  Submission s = text_of(300, 1);
  EXPECT_EQ(submit(*scheduler, s)->wait().usage.cached, 0u);
  // All but the token whose logits are wanted.
  EXPECT_EQ(submit(*scheduler, s)->wait().usage.cached, 299u);
  for (u32 k = 200; k < 300; ++k) s.prompt[k] = text::TokenId((s.prompt[k] + 1) % 90);
  s.why = true;
  const Outcome parted = submit(*scheduler, s)->wait();
  EXPECT_EQ(parted.usage.cached, 200u);
  EXPECT_EQ(parted.why->parted_at, 200u);
  ASSERT_EQ(parted.why->chunks.size(), parted.why->chunks_count);
  u32 next = 200;
  for (const ChunkRun& chunk : parted.why->chunks) {
    EXPECT_EQ(chunk.begin, next);
    EXPECT_EQ(chunk.batch_requests, 1u);
    next += chunk.count;
  }
  EXPECT_EQ(next, 300u);
  EXPECT_EQ(scheduler->stats().cached_tokens, 499u);
}

// A chat with a model that has states: each turn begins with all of the last one.
TEST(Scheduler, AChatWithStatesIsNotReadAgain) {
  auto engine = Engine::open(
      kModels + "qwen3_next",
      {.threads = 1, .context = 512, .logit_rows = 4, .sequences = 4, .states_kept = 4});
  ASSERT_TRUE(engine) << engine.error().message;
  auto scheduler = Scheduler::start(**engine, {});
  ASSERT_TRUE(scheduler);
  Submission s;
  for (u32 k = 0; k < 150; ++k) s.prompt.push_back(text::TokenId(k * 7 % 90));
  s.generate.tokens_max = 20;
  s.generate.ignore_stop_tokens = true;
  for (u32 turn = 0; turn < 3; ++turn) {
    const Reply expected = alone(**engine, s);
    const auto recorder = submit(**scheduler, s);
    const Outcome outcome = recorder->wait();
    EXPECT_EQ(recorder->tokens(), expected.tokens) << turn;
    // All that the last turn computed: its prompt, and its reply but for the last token.
    EXPECT_EQ(outcome.usage.cached, turn ? u32(s.prompt.size()) - 30 - 1 : 0) << turn;
    s.prompt.insert(s.prompt.end(), expected.tokens.begin(), expected.tokens.end());
    for (u32 k = 0; k < 30; ++k) s.prompt.push_back(text::TokenId((turn + k * 11) % 90));
  }
  // Another question behind the same 128 tokens.
  for (u32 k = 128; k < s.prompt.size(); ++k) s.prompt[k] = text::TokenId((k * 13 + 5) % 90);
  const Reply expected = alone(**engine, s);
  const auto recorder = submit(**scheduler, s);
  EXPECT_EQ(recorder->wait().usage.cached, 128u);
  EXPECT_EQ(recorder->tokens(), expected.tokens);
}

TEST_F(SchedulerOnTiny, OwnersShareNothing) {
  auto scheduler = start();
  Submission s = text_of(300, 1);
  s.owner = "a";
  (void)submit(*scheduler, s)->wait();
  s.owner = "b";
  s.why = true;
  const Outcome other = submit(*scheduler, s)->wait();
  EXPECT_EQ(other.usage.cached, 0u);
  EXPECT_EQ(other.why->parted_at, 0u) << "not even that the text is known";
  s.owner = "a";
  EXPECT_EQ(submit(*scheduler, s)->wait().usage.cached, 299u);
}

TEST_F(SchedulerOnTiny, TextsSurviveARestartForTheirOwnerOnly) {
  const Folder folder;
  const SchedulerOptions options{.disk = {.folder = folder.path}};
  Submission s = text_of(300, 1);
  s.owner = "a";
  (void)submit(*start(options), s)->wait();
  auto scheduler = start(options);
  s.owner = "b";
  EXPECT_EQ(submit(*scheduler, s)->wait().usage.cached, 0u);
  s.owner = "a";
  const Outcome again = submit(*scheduler, s)->wait();
  EXPECT_EQ(again.usage.cached, 256u);  // whole pages
  EXPECT_EQ(scheduler->stats().disk.read, 4u);
}

TEST_F(SchedulerOnTiny, WhoLeavesWhileItsTextIsReadIsGone) {
  const Folder folder;
  const SchedulerOptions options{.disk = {.folder = folder.path}};
  for (u32 seed = 0; seed < 20; ++seed) (void)submit(*start(options), text_of(900, seed))->wait();
  auto scheduler = start(options);
  for (u32 seed = 0; seed < 20; ++seed) {
    const auto recorder = std::make_shared<Recorder>();
    const auto admitted = scheduler->submit(text_of(900, seed), recorder);
    ASSERT_TRUE(admitted);
    if (seed % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100 * seed));
    scheduler->cancel(admitted->ticket);
    (void)recorder->wait();
  }
  EXPECT_EQ(submit(*scheduler, text_of(900, 3))->wait().usage.completion, 4u);
  scheduler.reset();
  EXPECT_EQ(engine_->cache().pool().free(), engine_->cache().pool().count());
}

TEST_F(SchedulerOnTiny, ADamagedFolderCostsTimeButNoReply) {
  const Folder folder;
  const SchedulerOptions options{.disk = {.folder = folder.path}};
  const Submission s = text_of(300, 1);
  auto first = start(options);
  const auto expected = submit(*first, s);
  (void)expected->wait();
  first.reset();
  u32 number = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path))
    if (++number == 2) std::filesystem::resize_file(entry.path(), 5000);
  auto scheduler = start(options);
  const auto again = submit(*scheduler, s);
  EXPECT_LT(again->wait().usage.cached, 256u);
  EXPECT_EQ(again->tokens(), expected->tokens());
  EXPECT_EQ(scheduler->stats().disk.damaged, 1u);
}

TEST_F(SchedulerOnTiny, WhoWantsEveryTokenTakesNoPrefix) {
  auto scheduler = start();
  Submission s = text_of(300, 1);
  (void)submit(*scheduler, s)->wait();
  s.hidden = s.prompt_only = true;
  const auto hidden = submit(*scheduler, s);
  EXPECT_EQ(hidden->wait().usage.cached, 0u);
  EXPECT_EQ(hidden->hidden().size(), 300u);
  s.hidden = s.prompt_only = false;
  s.prompt_logprobs = 1;
  const auto logprobs = submit(*scheduler, s);
  EXPECT_EQ(logprobs->wait().usage.cached, 0u);
  EXPECT_EQ(logprobs->prompt_count(), 300u);
}

TEST_F(SchedulerOnTiny, WithoutACacheNothingIsCached) {
  auto scheduler = start({.prefix_cache = false});
  const Submission s = text_of(300, 1);
  EXPECT_EQ(submit(*scheduler, s)->wait().usage.cached, 0u);
  EXPECT_EQ(submit(*scheduler, s)->wait().usage.cached, 0u);
  EXPECT_EQ(scheduler->stats().pages_cached, 0u);
}

TEST_F(SchedulerOnTiny, AFullQueueSaysWhenToComeAgain) {
  auto scheduler = start({.queue_max = 2, .running_max = 1});
  (void)submit(*scheduler, text_of(10, 1, 200))->wait();
  const auto running = submit(*scheduler, text_of(20, 1, 1000));
  running->wait_tokens(1);
  std::vector<std::shared_ptr<Recorder>> waiting;
  for (u32 i = 0; i < 2; ++i) {
    waiting.push_back(std::make_shared<Recorder>());
    const auto admitted = scheduler->submit(text_of(20, i), waiting.back());
    ASSERT_TRUE(admitted);
    EXPECT_EQ(admitted->position, i);
    EXPECT_GT(admitted->wait_seconds, 0);
  }
  const auto refused = scheduler->submit(text_of(20, 9), std::make_shared<Recorder>());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Refusal::Kind::kQueueFull);
  EXPECT_EQ(refused.error().queued, 2u);
  EXPECT_GT(refused.error().wait_seconds, 0);
  for (const auto& one : waiting) (void)one->wait();
  EXPECT_EQ(scheduler->stats().refused, 1u);
}

TEST_F(SchedulerOnTiny, AGreaterPriorityComesFirst) {
  auto scheduler = start({.running_max = 1});
  const auto running = submit(*scheduler, text_of(20, 1, 300));
  running->wait_tokens(1);
  Submission low = text_of(20, 2), high = text_of(20, 3);
  high.priority = 1;
  const auto second = submit(*scheduler, low), first = submit(*scheduler, high);
  EXPECT_LT(first->wait().timings.queue, second->wait().timings.queue);
}

TEST_F(SchedulerOnTiny, DeadlinesAndCancelsEndWithinAStep) {
  auto scheduler = start({.running_max = 1});
  Submission endless = text_of(20, 1, 1000);
  endless.deadline_seconds = 0.02;
  auto first = std::make_shared<Recorder>(), second = std::make_shared<Recorder>();
  ASSERT_TRUE(scheduler->submit(endless, first));
  Submission waits = text_of(20, 2);
  waits.deadline_seconds = 1e-6;
  ASSERT_TRUE(scheduler->submit(waits, second));
  EXPECT_EQ(second->wait().finish, Finish::kDeadline);
  EXPECT_EQ(first->wait().finish, Finish::kDeadline);
  auto third = std::make_shared<Recorder>();
  const auto admitted = scheduler->submit(text_of(20, 1, 1000), third);
  ASSERT_TRUE(admitted);
  third->wait_tokens(3);
  scheduler->cancel(admitted->ticket);
  EXPECT_EQ(third->wait().finish, Finish::kCancelled);
  EXPECT_LT(third->tokens().size(), 900u);
}

}  // namespace
}  // namespace orrery::engine
