// Tests of the sampler: transformers' chain as the oracle (tools/golden/sampler.py), statistics of
// draws, ties, extreme logits, refused settings, and no allocation after make().
#include "forward/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "forward/log_softmax.h"

extern std::atomic<long> allocations;  // counted by operator new in laws_test.cpp

namespace orrery::forward {
namespace {

using nlohmann::json;

constexpr f32 kInf = std::numeric_limits<f32>::infinity();
constexpr f32 kNan = std::numeric_limits<f32>::quiet_NaN();

Sampler must(const SamplerSettings& settings, u32 vocab) {
  auto sampler = Sampler::make(settings, vocab);
  EXPECT_TRUE(sampler) << sampler.error().message;
  return std::move(*sampler);
}

i32 next(Sampler& sampler, std::span<const f32> logits, std::span<const i32> history = {},
         u64 prompt_count = 0) {
  const auto token = sampler.sample(logits, history, prompt_count);
  EXPECT_TRUE(token) << token.error().message;
  return token.value_or(-1);
}

std::vector<Candidate> all_candidates(Sampler& sampler) {
  std::vector<Candidate> all(sampler.candidates_count());
  EXPECT_EQ(sampler.candidates(all), all.size());
  return all;
}

std::vector<f32> random_logits(u32 count, u32 seed, f32 spread) {
  std::mt19937 random(seed);
  std::vector<f32> logits(count);
  for (f32& logit : logits) logit = spread * (f32(random() % 20001) / 10000 - 1);
  return logits;
}

SamplerSettings settings_from(const json& j) {
  SamplerSettings s;
  s.temperature = j.value("temperature", 1.0f);
  s.top_k = j.value("top_k", 0u);
  s.top_p = j.value("top_p", 1.0f);
  s.min_p = j.value("min_p", 0.0f);
  s.typical_p = j.value("typical_p", 1.0f);
  s.repetition_penalty = j.value("repetition_penalty", 1.0f);
  s.presence_penalty = j.value("presence_penalty", 0.0f);
  s.frequency_penalty = j.value("frequency_penalty", 0.0f);
  s.penalty_window = j.value("penalty_window", 0u);
  return s;
}

TEST(Sampler, KeepsWhatTransformersKeepsWithTheSameProbabilities) {
  std::ifstream file(ORRERY_SOURCE_DIR "/tests/golden/sampler.json");
  const json golden = json::parse(file);
  const auto history = golden["history"].get<std::vector<i32>>();
  u32 checked = 0;
  for (const json& c : golden["cases"]) {
    SCOPED_TRACE(c["logits"].dump() + " " + c["settings"].dump());
    std::vector<f32> logits;
    for (const json& value : golden["logits"][c["logits"].get<std::string>()])
      logits.push_back(value.is_null() ? -kInf : value.get<f32>());
    Sampler sampler = must(settings_from(c["settings"]), u32(logits.size()));
    const i32 token = next(sampler, logits, history, golden["prompt_count"]);

    std::vector<Candidate> ours = all_candidates(sampler);
    for (u64 i = 1; i < ours.size(); ++i)
      ASSERT_GE(ours[i - 1].probability, ours[i].probability) << "best first";
    std::sort(ours.begin(), ours.end(),
              [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
    // What will never be drawn may be missing here: exp() has an end.
    constexpr f64 kNever = 1e-30;
    std::erase_if(ours, [](const Candidate& candidate) { return candidate.probability < kNever; });
    std::vector<i32> kept;
    std::vector<f64> probabilities;
    for (u64 i = 0; i < c["kept"].size(); ++i) {
      if (c["probabilities"][i].get<f64>() < kNever) continue;
      kept.push_back(c["kept"][i]);
      probabilities.push_back(c["probabilities"][i]);
    }
    ASSERT_EQ(ours.size(), kept.size());
    for (u64 i = 0; i < kept.size(); ++i) {
      ASSERT_EQ(ours[i].id, kept[i]);
      ASSERT_NEAR(ours[i].probability, probabilities[i], 2e-5 * probabilities[i] + 1e-9);
    }
    EXPECT_TRUE(std::find(kept.begin(), kept.end(), token) != kept.end());
    ++checked;
  }
  EXPECT_GT(checked, 100u);
}

TEST(Sampler, TheChainIsListedInTheOrderInWhichItRuns) {
  const auto names = [](const SamplerSettings& settings) {
    std::vector<std::string> active;
    for (const SamplerStep& step : must(settings, 10).chain())
      if (step.active) active.emplace_back(step.name);
    return active;
  };
  EXPECT_EQ(names({.temperature = 1}), std::vector<std::string>());
  EXPECT_EQ(names({}), std::vector<std::string>{"temperature"});
  const SamplerSettings all{.temperature = 0.5f,
                            .top_k = 7,
                            .top_p = 0.9f,
                            .min_p = 0.1f,
                            .typical_p = 0.8f,
                            .repetition_penalty = 1.1f,
                            .presence_penalty = 1,
                            .frequency_penalty = -1};
  EXPECT_EQ(names(all),
            (std::vector<std::string>{"repetition_penalty", "presence_penalty", "frequency_penalty",
                                      "temperature", "top_k", "top_p", "min_p", "typical_p"}));
  EXPECT_EQ(must(all, 10).chain()[4].value, 7.0);
  SamplerSettings greedy = all;
  greedy.temperature = 0;
  EXPECT_EQ(names(greedy).back(), "temperature");
}

TEST(Sampler, DrawsFollowTheProbabilities) {
  const std::vector<f32> logits = random_logits(40, 3, 2);
  Sampler sampler = must({.temperature = 1.2f, .top_k = 20, .seed = 12345}, 40);
  next(sampler, logits);
  const std::vector<Candidate> candidates = all_candidates(sampler);
  ASSERT_EQ(candidates.size(), 20u);
  constexpr u32 kDraws = 100000;
  std::vector<u32> counts(40);
  for (u32 i = 0; i < kDraws; ++i) ++counts[next(sampler, logits)];
  f64 chi_square = 0;
  u32 drawn = 0;
  for (const Candidate& c : candidates) {
    const f64 expected = kDraws * f64(c.probability);
    chi_square += (counts[c.id] - expected) * (counts[c.id] - expected) / expected;
    drawn += counts[c.id];
  }
  EXPECT_EQ(drawn, kDraws);     // nothing else was drawn
  EXPECT_LT(chi_square, 43.8);  // 19 degrees of freedom: 0.1 % lie above
  EXPECT_GT(chi_square, 5.4);   // and 0.1 % below: too even is no chance either
}

TEST(Sampler, TheSeedAloneDecidesAndAGreedyStepTakesNoDraw) {
  const std::vector<f32> logits = random_logits(1000, 4, 3);
  const auto reply = [&](u64 seed) {
    Sampler sampler = must({.seed = seed}, 1000);
    std::vector<i32> tokens;
    for (u32 i = 0; i < 50; ++i) tokens.push_back(next(sampler, logits));
    return tokens;
  };
  EXPECT_EQ(reply(7), reply(7));
  EXPECT_NE(reply(7), reply(8));
  EXPECT_NE(reply(0), reply(1));

  // A failed call takes no draw either: the reply goes on as if it had not been.
  Sampler sampler = must({.seed = 7}, 1000);
  std::vector<f32> broken = logits;
  broken[500] = kNan;
  std::vector<i32> tokens;
  for (u32 i = 0; i < 50; ++i) {
    EXPECT_FALSE(sampler.sample(broken, {}));
    tokens.push_back(next(sampler, logits));
  }
  EXPECT_EQ(tokens, reply(7));
}

TEST(Sampler, TheSmallerIdWinsTies) {
  std::vector<f32> logits(300, 1.0f);
  Sampler greedy = must({.temperature = 0}, 300);
  EXPECT_EQ(next(greedy, logits), 0);
  logits[77] = logits[78] = logits[299] = 2;
  EXPECT_EQ(next(greedy, logits), 77);

  Sampler two = must({.top_k = 2}, 300);
  next(two, logits);
  EXPECT_EQ(all_candidates(two)[0].id, 77);
  EXPECT_EQ(all_candidates(two)[1].id, 78);
  std::fill(logits.begin(), logits.end(), -3.0f);
  for (const SamplerSettings& s : {SamplerSettings{.top_k = 3}, SamplerSettings{.top_p = 0.0099f},
                                   SamplerSettings{.typical_p = 0.0099f}}) {
    Sampler sampler = must(s, 300);
    next(sampler, logits);
    const std::vector<Candidate> kept = all_candidates(sampler);
    ASSERT_EQ(kept.size(), 3u);
    for (i32 i = 0; i < 3; ++i) EXPECT_EQ(kept[u32(i)].id, i);
  }
}

TEST(Sampler, TopKOneIsGreedyWhateverTheTemperature) {
  for (u32 seed = 0; seed < 20; ++seed) {
    const std::vector<f32> logits = random_logits(777, seed, 5);
    Sampler greedy = must({.temperature = 0}, 777), one = must({.temperature = 9, .top_k = 1}, 777);
    Sampler tiny = must({.temperature = 1, .top_p = 0}, 777);
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    EXPECT_EQ(next(greedy, logits), best);
    EXPECT_EQ(next(one, logits), best);
    EXPECT_EQ(next(tiny, logits), best);
  }
}

// Against a sort of everything, on sizes around the block of 64 and with many ties.
TEST(Sampler, SelectionAgreesWithASort) {
  for (u32 seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const u32 vocab = 1 + random() % 700;
    std::vector<f32> logits(vocab);
    for (f32& logit : logits)
      logit = f32(random() % (seed % 2 ? 20 : 100000)) / (seed % 2 ? 4 : 9999);
    std::vector<i32> ids(vocab);
    std::iota(ids.begin(), ids.end(), 0);
    std::stable_sort(ids.begin(), ids.end(), [&](i32 a, i32 b) { return logits[a] > logits[b]; });
    const u32 k = 1 + random() % (vocab + 3);
    Sampler top_k = must({.temperature = 1, .top_k = k}, vocab);
    next(top_k, logits);
    std::vector<Candidate> kept = all_candidates(top_k);
    ASSERT_EQ(kept.size(), std::min(k, vocab));
    for (u32 i = 0; i < kept.size(); ++i) ASSERT_EQ(kept[i].id, ids[i]) << seed;

    const f32 p = f32(random() % 1000) / 1000;
    Sampler top_p = must({.temperature = 1, .top_p = p}, vocab);
    next(top_p, logits);
    kept = all_candidates(top_p);
    f64 all = 0, sum = 0;
    for (const f32 logit : logits) all += std::exp(f64(logit));
    u32 wanted = 0;
    do sum += std::exp(f64(logits[ids[wanted++]])) / all;
    while (sum < p - 1e-6 && wanted < vocab);  // the border may lie within rounding of p
    ASSERT_GE(kept.size(), wanted);
    for (u32 i = wanted; i < kept.size(); ++i) sum += std::exp(f64(logits[ids[i]])) / all;
    ASSERT_LT(sum - std::exp(f64(logits[ids[kept.size() - 1]])) / all, p + 1e-6);
    for (u32 i = 0; i < kept.size(); ++i) ASSERT_EQ(kept[i].id, ids[i]) << seed;
  }
}

TEST(Sampler, ExtremeLogits) {
  Sampler sampler = must({.temperature = 1, .top_p = 0.9f}, 100);
  std::vector<f32> logits(100, -kInf);
  EXPECT_FALSE(sampler.sample(logits, {}));  // nothing is possible
  EXPECT_EQ(sampler.candidates_count(), 0u);
  logits[42] = -1e30f;
  EXPECT_EQ(next(sampler, logits), 42);  // one finite
  EXPECT_EQ(all_candidates(sampler)[0].probability, 1.0f);
  logits[43] = 3e38f;
  logits[44] = -3e38f;
  EXPECT_EQ(next(sampler, logits), 43);  // their difference is no float
  Sampler greedy = must({.temperature = 0}, 100);
  EXPECT_EQ(next(greedy, logits), 43);
  for (const u32 at : {0u, 5u, 50u, 63u, 64u, 97u, 99u})
    for (const f32 bad : {kNan, kInf}) {
      std::vector<f32> broken(100, 1.0f);
      broken[at] = bad;
      EXPECT_FALSE(greedy.sample(broken, {})) << at;
      EXPECT_FALSE(sampler.sample(broken, {})) << at;
    }
  EXPECT_FALSE(greedy.sample(std::vector<f32>(99, 1.0f), {}));  // another vocabulary
  const i32 history[] = {-1, 100, 2147483647, 7};
  Sampler penalised = must({.temperature = 0, .frequency_penalty = 2}, 100);
  const std::vector<f32> flat(100, 0.0f);
  EXPECT_EQ(next(penalised, flat, history), 0);  // ids outside of the vocabulary touch nothing
  Sampler coldest = must({.temperature = 0.001f}, 100);
  EXPECT_EQ(next(coldest, logits), 43);
}

TEST(Sampler, RefusesWhatIsOutOfRangeAndSaysTheRange) {
  const auto message = [](const SamplerSettings& settings) {
    const auto sampler = Sampler::make(settings, 10);
    return sampler ? std::string() : sampler.error().message;
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.temperature = -1}),
            "temperature must be 0 (greedy) or between 0.001 and 100, not -1");
  EXPECT_EQ(message({.top_p = 1.5f}), "top_p must be between 0 and 1, not 1.5");
  for (const f32 bad : {kNan, kInf, -kInf, 101.0f, -101.0f}) {
    EXPECT_NE(message({.temperature = bad}), "") << bad;
    EXPECT_NE(message({.top_p = bad}), "") << bad;
    EXPECT_NE(message({.min_p = bad}), "") << bad;
    EXPECT_NE(message({.typical_p = bad}), "") << bad;
    EXPECT_NE(message({.repetition_penalty = bad}), "") << bad;
    EXPECT_NE(message({.presence_penalty = bad}), "") << bad;
    EXPECT_NE(message({.frequency_penalty = bad}), "") << bad;
  }
  EXPECT_NE(message({.repetition_penalty = 0}), "");
  EXPECT_FALSE(Sampler::make({}, 0));
  EXPECT_FALSE(Sampler::make({}, ~0u));
}

TEST(Sampler, AllocatesNothingAfterMake) {
  const std::vector<f32> logits = random_logits(5000, 1, 4);
  const std::vector<i32> history = {1, 2, 3, 4, 5, 5, 5};
  std::vector<Candidate> candidates(50);
  for (const SamplerSettings& s :
       {SamplerSettings{.temperature = 0}, SamplerSettings{}, SamplerSettings{.top_k = 40},
        SamplerSettings{.top_k = 4000,
                        .top_p = 0.9f,
                        .min_p = 0.01f,
                        .typical_p = 0.9f,
                        .repetition_penalty = 1.1f,
                        .frequency_penalty = 1}}) {
    Sampler sampler = must(s, 5000);
    const long before = allocations;
    for (u32 i = 0; i < 3; ++i) {
      const auto token = sampler.sample(logits, history, 2);
      ASSERT_TRUE(token);
      ASSERT_GT(sampler.candidates(candidates), 0u);
    }
    EXPECT_EQ(allocations, before);
  }
}

TEST(LogSoftmax, TheBestOfRawLogits) {
  std::vector<f32> logits = random_logits(500, 9, 6);
  logits[20] = logits[10] = 7;  // equal and best: the smaller id first
  f64 sum = 0;
  for (const f32 logit : logits) sum += std::exp(f64(logit));
  EXPECT_NEAR(log_sum_exp(logits), std::log(sum), 1e-6);
  TokenLogProbability top[5];
  ASSERT_EQ(log_softmax_top(logits, top), 5u);
  EXPECT_EQ(top[0].id, 10);
  EXPECT_EQ(top[1].id, 20);
  for (u32 i = 0; i < 5; ++i) {
    EXPECT_NEAR(top[i].log_probability, f64(logits[top[i].id]) - std::log(sum), 1e-5);
    const auto better =
        std::count_if(logits.begin(), logits.end(), [&](f32 x) { return x > logits[top[i].id]; });
    EXPECT_LE(better, i32(i));
  }
  EXPECT_EQ(log_softmax_top(std::span(logits).first(3), top), 3u);
  EXPECT_EQ(log_softmax_top(logits, {}), 0u);
  EXPECT_EQ(log_sum_exp(std::vector<f32>(3, -kInf)), -kInf);
  EXPECT_TRUE(std::isnan(log_sum_exp(std::vector<f32>{0, kNan, 1})));
}

}  // namespace
}  // namespace orrery::forward
