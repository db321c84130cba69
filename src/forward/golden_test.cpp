// Tiny checkpoints of both worlds against what transformers computed from them
// (tests/golden/README.md): logits past every switch point, the residual stream layer by layer,
// greedy continuations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "forward/forward.h"
#include "support/npy.h"

namespace orrery::forward {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kGolden = fs::path(ORRERY_SOURCE_DIR) / "tests/golden/models";

// A checkpoint bound and ready: what the engine does, without text.
class Loaded {
 public:
  Loaded(const fs::path& path, bool exact) {
    auto opened = checkpoint::Checkpoint::open(path);
    if (!opened) throw std::runtime_error(opened.error().message);
    checkpoint_ = std::move(*opened);
    const auto description = model::describe(*checkpoint_);
    if (!description) throw std::runtime_error(description.error().message);
    auto bound = model::bind(*checkpoint_, *description, {.exact = exact}, parallel_on(team_),
                             no_progress());
    if (!bound) throw std::runtime_error(bound.error().message);
    model_ = std::move(*bound);
    cache_ = *KvCache::make(model_.spec, exact ? kernels::KvFormat::kF32 : kernels::KvFormat::kF16,
                            256, 1);
    scratch_ = *Scratch::make(model_, 256, 256, team_.size());
    sequence_ = *cache_.open_sequence();
  }

  // Logits [tokens, vocab] of ids that follow the `position` tokens before them.
  std::span<const f32> run(std::span<const i32> ids, u32 position, trace::TapOn* tap = nullptr) {
    Batch batch;
    std::vector<trace::TapRow> rows;
    for (u32 i = 0; i < ids.size(); ++i) {
      batch.tokens.push_back({ids[i], sequence_, position + i, true, position + u32(ids.size())});
      rows.push_back({sequence_, position + i, true});
    }
    EXPECT_TRUE(check(model_, batch, scratch_));
    EXPECT_TRUE(cache_.reserve(sequence_, position + batch.size()));
    trace::TapOff off;
    if (tap) {
      tap->begin_step(0, {.points = ~u64(0), .rows = trace::Rows::kAll}, rows);
      forward(model_, kernels_, batch, cache_, scratch_, team_, *tap);
    } else {
      forward(model_, kernels_, batch, cache_, scratch_, team_, off);
    }
    return {scratch_.logits, u64(batch.size()) * model_.spec.vocab};
  }

  [[nodiscard]] const model::ModelSpec& spec() const { return model_.spec; }

 private:
  ThreadTeam team_{2};
  std::unique_ptr<checkpoint::Checkpoint> checkpoint_;
  model::Model model_;
  kernels::Kernels kernels_ = *kernels::resolve_from_environment();
  KvCache cache_;
  Scratch scratch_;
  u32 sequence_ = 0;
};

f64 relative_l2(std::span<const f32> ours, std::span<const f32> golden) {
  f64 difference = 0, size = 0;
  for (u64 i = 0; i < golden.size(); ++i) {
    difference += (f64(ours[i]) - golden[i]) * (f64(ours[i]) - golden[i]);
    size += f64(golden[i]) * golden[i];
  }
  return std::sqrt(difference / size);
}

struct Case {
  fs::path folder;
  std::string checkpoint;
  bool exact;
  [[nodiscard]] f64 bound() const { return exact ? 1e-4 : 2e-2; }
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto& entry : fs::directory_iterator(kGolden)) {
    if (!fs::exists(entry.path() / "expected.json")) continue;
    const Json expected = Json::parse(std::ifstream(entry.path() / "expected.json"));
    for (const std::string checkpoint : expected["checkpoints"])
      for (bool exact : {true, false}) out.push_back({entry.path(), checkpoint, exact});
  }
  std::sort(out.begin(), out.end(), [](const Case& a, const Case& b) {
    return std::tie(a.folder, a.checkpoint, a.exact) < std::tie(b.folder, b.checkpoint, b.exact);
  });
  return out;
}

class Golden : public ::testing::TestWithParam<Case> {
 protected:
  Json expected = Json::parse(std::ifstream(GetParam().folder / "expected.json"));
  Loaded model{GetParam().folder / GetParam().checkpoint, GetParam().exact};

  [[nodiscard]] std::vector<f32> npy(const std::string& name) const {
    return testing::read_npy<f32>(GetParam().folder / name).values;
  }
};

TEST_P(Golden, LogitsAtEveryLength) {
  const u32 vocab = model.spec().vocab;
  for (const Json& prompt : expected["prompts"]) {
    const auto ids = prompt["ids"].get<std::vector<i32>>();
    const auto positions = prompt["positions"].get<std::vector<u32>>();
    const std::vector<f32> golden = npy(prompt["logits"]);
    const std::span<const f32> all = model.run(ids, 0);
    std::vector<f32> ours;
    for (u32 p : positions)
      ours.insert(ours.end(), all.begin() + p * vocab, all.begin() + (p + 1) * vocab);
    ASSERT_EQ(ours.size(), golden.size());
    EXPECT_LE(relative_l2(ours, golden), GetParam().bound()) << ids.size() << " tokens";
  }
}

TEST_P(Golden, ResidualsLayerByLayer) {
  const auto ids = expected["residuals"]["ids"].get<std::vector<i32>>();
  const std::vector<f32> golden = npy(expected["residuals"]["file"]);
  const u32 dim = model.spec().dim;
  trace::Ring ring(u64(16) << 20);
  trace::TapOn tap(ring);
  (void)model.run(ids, 0, &tap);
  u32 seen = 0;
  trace::Event event;
  while (ring.read(event)) {
    const bool embedding = event.header.point == trace::Point::kEmbedding;
    if (!embedding && event.header.point != trace::Point::kResidual) continue;
    const u64 row = (embedding ? 0 : event.header.layer + 1) * ids.size() + event.header.row;
    ASSERT_EQ(event.values.size(), dim);
    EXPECT_LE(relative_l2(event.values, std::span(golden).subspan(row * dim, dim)),
              GetParam().bound())
        << "layer " << event.header.layer << ", token " << event.header.row;
    ++seen;
  }
  EXPECT_EQ(u64(seen) * dim, golden.size());
}

// Experts by layer and token, sorted, but where the oracle's own choice was nearly a tie.
TEST_P(Golden, RoutingChoices) {
  if (!expected.contains("routing") || !GetParam().exact) return;
  const auto ids = expected["prompts"].back()["ids"].get<std::vector<i32>>();
  trace::Ring ring(u64(64) << 20);
  trace::TapOn tap(ring);
  (void)model.run(ids, 0, &tap);
  std::map<u32, std::vector<std::vector<i32>>> ours;  // by layer, by token
  trace::Event event;
  while (ring.read(event)) {
    if (event.header.point != trace::Point::kRouterChoice) continue;
    std::vector<i32> chosen(event.values.begin(), event.values.end());
    std::sort(chosen.begin(), chosen.end());
    ours[event.header.layer].push_back(std::move(chosen));
  }
  for (const Json& layer : expected["routing"]) {
    const auto experts = layer["experts"].get<std::vector<std::vector<i32>>>();
    const auto margins = layer["margins"].get<std::vector<f64>>();
    const auto& chosen = ours[layer["layer"].get<u32>()];
    ASSERT_EQ(chosen.size(), experts.size());
    for (std::size_t t = 0; t < experts.size(); ++t) {
      if (margins[t] < 1e-5) continue;
      EXPECT_EQ(chosen[t], experts[t]) << "token " << t;
    }
  }
}

TEST_P(Golden, GreedyIds) {
  auto ids = expected["greedy"]["ids"].get<std::vector<i32>>();
  const auto next = expected["greedy"]["next"].get<std::vector<i32>>();
  const u32 vocab = model.spec().vocab;
  std::vector<i32> ours;
  u32 position = 0;
  for (u32 step = 0; step < next.size(); ++step) {
    const auto logits = model.run(ids, position).last(vocab);
    position += u32(ids.size());
    ours.push_back(i32(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    ids.assign(1, ours.back());
  }
  EXPECT_EQ(ours, next);
}

INSTANTIATE_TEST_SUITE_P(Transformers, Golden, ::testing::ValuesIn(cases()), [](const auto& at) {
  std::string name = at.param.folder.filename().string() + "_" + at.param.checkpoint +
                     (at.param.exact ? "_exact" : "_default");
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(u8(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace orrery::forward
