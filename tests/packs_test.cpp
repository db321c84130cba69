// Packed weights on disk: the second start takes them and computes the same bits; whatever is wrong
// with a pack or its model is noticed; a folder that cannot hold it disturbs nobody.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/engine.h"
#include "support/cli.h"
#include "support/temporary_folder.h"

namespace orrery::engine {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::TemporaryFolder;

const fs::path kSource = ORRERY_SOURCE_DIR "/tests/golden/models/llama_bf16/hf";

class PacksTest : public ::testing::Test {
 protected:
  PacksTest() { fs::copy(kSource, model(), fs::copy_options::recursive); }

  fs::path model() const { return folder_.path() / "model"; }
  fs::path packs() const { return folder_.path() / "packs"; }

  std::unique_ptr<Engine> open(bool exact = false) const {
    EngineOptions options{
        .threads = 2, .exact = exact, .packs = {.folder = packs(), .bytes_min = 0}};
    auto engine = Engine::open(model(), options);
    EXPECT_TRUE(engine) << engine.error().message;
    return std::move(*engine);
  }
  // Loads and waits for the pack.
  std::unique_ptr<Engine> open_and_keep(bool exact = false) const {
    auto engine = open(exact);
    EXPECT_TRUE(engine->packs().finish());
    return engine;
  }
  static std::vector<f32> logits(Engine& engine) {
    std::vector<f32> all;
    auto sequence = engine.start();
    const std::vector<text::TokenId> tokens = {1, 5, 9, 2};
    EXPECT_TRUE(engine.score(*sequence, tokens, 3, [&](u32, std::span<const f32> row) {
      all.assign(row.begin(), row.end());
      return Result<void>();
    }));
    return all;
  }
  fs::path only_pack() const {
    const auto entries = list_packs(packs());
    EXPECT_EQ(entries.size(), 1u);
    return entries.empty() ? fs::path() : entries.front().path;
  }
  void overwrite(const std::string& bytes) const {
    const fs::path path = only_pack();
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  TemporaryFolder folder_;
};

TEST_F(PacksTest, TheSecondStartTakesThePackAndGivesTheSameBits) {
  const auto first = open_and_keep();
  EXPECT_FALSE(first->from_pack());
  const auto second = open();
  EXPECT_TRUE(second->from_pack());
  EXPECT_EQ(logits(*first), logits(*second));
  EXPECT_EQ(*model::pack_model(only_pack()), "model");
}

TEST_F(PacksTest, AnotherWayOfPackingIsAnotherPack) {
  (void)open_and_keep();
  EXPECT_FALSE(open_and_keep(true)->from_pack());
  EXPECT_TRUE(open(true)->from_pack());
  EXPECT_TRUE(open()->from_pack());
  EXPECT_EQ(list_packs(packs()).size(), 2u);
}

TEST_F(PacksTest, AChangedModelIsNoticed) {
  (void)open_and_keep();
  const fs::path weights = model() / "model.safetensors";
  const auto before = fs::last_write_time(weights);
  std::string bytes = read_file(weights);
  bytes[bytes.size() / 3] ^= 1;  // in the middle of some tensor, and dated back
  std::ofstream(weights, std::ios::binary) << bytes;
  fs::last_write_time(weights, before);
  EXPECT_FALSE(open()->from_pack());
}

TEST_F(PacksTest, EveryDamageIsNoticed) {
  const std::vector<f32> expected = logits(*open_and_keep());
  const std::string whole = read_file(only_pack());
  std::vector<std::string> damaged = {"", "ORRPACK1", whole.substr(0, whole.size() - 1),
                                      whole + "x", std::string(whole.size(), '\0')};
  for (const u64 cut : {u64(8), u64(63), u64(300), u64(2) << 20, whole.size() / 2})
    damaged.push_back(whole.substr(0, cut));
  for (u64 at = 0; at < 64; ++at) {  // each byte of the numbers in the header
    damaged.push_back(whole);
    damaged.back()[at] = char(~damaged.back()[at]);
  }
  for (const u64 at : {u64(70), u64(322), u64(2) << 20, whole.size() - 1}) {
    damaged.push_back(whole);
    damaged.back()[at] ^= 4;
  }
  for (const std::string& bytes : damaged) {
    overwrite(bytes);
    const auto engine = open_and_keep();
    EXPECT_FALSE(engine->from_pack()) << bytes.size();
    EXPECT_TRUE(read_file(only_pack()) == whole) << "packed anew";
  }
  EXPECT_EQ(logits(*open()), expected);
}

TEST_F(PacksTest, ATableOfAnyLengthIsNotBelieved) {
  (void)open_and_keep();
  const std::string whole = read_file(only_pack());
  for (const u64 value : {u64(0), u64(1) << 20, u64(1) << 40, ~u64(0), u64(1) << 63})
    for (u64 word = 1; word < 7; ++word) {
      std::string bytes = whole;
      std::memcpy(bytes.data() + 8 * word, &value, 8);
      overwrite(bytes);
      EXPECT_FALSE(open_and_keep()->from_pack());
    }
}

TEST_F(PacksTest, AFolderThatCannotBeWrittenIsNoError) {
  std::ofstream(packs()) << "a file in the folder's place";
  const auto engine = open();
  EXPECT_FALSE(engine->packs().finish());
  EXPECT_FALSE(logits(*engine).empty());
}

TEST_F(PacksTest, AFullDiskLeavesNothingBehind) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{u64(2) << 20, before.rlim_max};  // the header's space, and no data
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto engine = open();
  EXPECT_FALSE(engine->packs().finish());
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(logits(*engine).empty());
  EXPECT_TRUE(fs::is_empty(packs()));
}

TEST_F(PacksTest, TheFolderStaysWithinItsLimit) {
  (void)open_and_keep();
  const u64 size = list_packs(packs()).front().bytes;
  EngineOptions options{.threads = 1,
                        .exact = true,
                        .packs = {.folder = packs(), .bytes_min = 0, .folder_bytes_max = size + 9}};
  {
    auto engine = Engine::open(model(), options);
    ASSERT_TRUE(engine);
    const auto kept = (*engine)->packs().finish();
    const auto left = list_packs(packs());
    u64 total = 0;
    for (const PackEntry& pack : left) total += pack.bytes;
    EXPECT_LE(total, size + 9);
    EXPECT_EQ(left.size(), 1u);  // the older one went, or the new one was too large
  }
}

TEST_F(PacksTest, TwoAtOnceLeaveOneWholePack) {
  const auto first = open(), second = open();
  (void)first->packs().finish();
  (void)second->packs().finish();
  EXPECT_TRUE(open()->from_pack());
}

TEST(CacheCommand, ListsVerifiesAndClears) {
  TemporaryFolder cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  const auto run = [](std::vector<std::string> words) {
    return testing::run_program(std::move(words));
  };
  EXPECT_NE(run({"cache"}).out.find("No packs"), std::string::npos);
  EXPECT_NE(run({"cache", "add", kSource}).out.find("is packed"), std::string::npos);
  EXPECT_NE(run({"cache", "add", kSource}).out.find("has a pack already"), std::string::npos);
  EXPECT_NE(run({"cache"}).out.find("hf"), std::string::npos);
  EXPECT_NE(run({"cache", "verify"}).out.find("all whole"), std::string::npos);
  const fs::path pack = list_packs(cache.path() / "orrery/packs").front().path;
  std::fstream(pack, std::ios::in | std::ios::out | std::ios::binary).seekp(-3, std::ios::end)
      << "x";
  EXPECT_EQ(run({"cache", "verify"}).code, 1);
  EXPECT_EQ(run({"cache", "clear", "nothing-like-it"}).code, 1);
  EXPECT_NE(run({"cache", "clear"}).out.find("1 pack removed"), std::string::npos);
  EXPECT_NE(run({"cache"}).out.find("No packs"), std::string::npos);
}

}  // namespace
}  // namespace orrery::engine
