// Pages on disk: what comes back is what was kept, or nothing.
#include "engine/disk_pages.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <numeric>

namespace orrery::engine {
namespace {

namespace fs = std::filesystem;

constexpr u64 kBytes = 10'000, kHeader = 4096;

class DiskPagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("orrery_pages_{}", ::getpid());
    fs::remove_all(folder_);
    for (u32 page = 0; page < kPages; ++page)
      std::iota(memory_[page].begin(), memory_[page].end(), u8(page * 7));
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::unique_ptr<DiskPages> open(u64 bytes_max = u64(1) << 30) {
    auto pages = DiskPages::open({.folder = folder_, .bytes_max = bytes_max}, "model",
                                 [this](u32 page) { return std::span<u8>(memory_[page]); });
    EXPECT_TRUE(pages) << (pages ? "" : pages.error().message);
    return std::move(*pages);
  }
  // Into page 3 and on; how many are good.
  u32 read(DiskPages& pages, const std::vector<PageName>& names) {
    std::promise<u32> good;
    std::vector<u32> to(names.size());
    std::iota(to.begin(), to.end(), 3);
    pages.read(names, to, [&](u32 count) { good.set_value(count); });
    return good.get_future().get();
  }
  static PageName name(text::TokenId token) {
    return next_name(root_name("model", "key"), std::span(&token, 1));
  }
  fs::path file_of(u32 index) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files.at(index);
  }
  u64 file_count() {
    return u64(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  static constexpr u32 kPages = 8;
  fs::path folder_;
  std::vector<u8> memory_[kPages] = {std::vector<u8>(kBytes), std::vector<u8>(kBytes),
                                     std::vector<u8>(kBytes), std::vector<u8>(kBytes),
                                     std::vector<u8>(kBytes), std::vector<u8>(kBytes),
                                     std::vector<u8>(kBytes), std::vector<u8>(kBytes)};
};

TEST_F(DiskPagesTest, NamesDifferWhereverTheTextDoes) {
  const std::vector<text::TokenId> one = {1, 2}, other = {1, 3};
  const PageName root = root_name("model", "key");
  EXPECT_EQ(next_name(root, one), next_name(root, one));
  EXPECT_NE(next_name(root, one), next_name(root, other));
  EXPECT_NE(next_name(root_name("model", "another"), one), next_name(root, one));
  EXPECT_NE(next_name(root_name("other", "key"), one), next_name(root, one));
  EXPECT_NE(root_name("ab", "c"), root_name("a", "bc"));
  EXPECT_NE(next_name(next_name(root, one), one), next_name(root, one));
}

TEST_F(DiskPagesTest, ComesBackAlsoAfterARestart) {
  {
    auto pages = open();
    EXPECT_TRUE(pages->write(name(0), 0));
    pages->offer(name(1), 1);
    while (pages->stats().written < 2) ::usleep(1000);
  }
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(file_of(0)).permissions() & ~fs::perms::owner_all, fs::perms::none);
  auto pages = open();
  EXPECT_TRUE(pages->has(name(0)));
  EXPECT_FALSE(pages->has(name(2)));
  EXPECT_EQ(pages->stats().bytes, 2 * (kBytes + kHeader));
  EXPECT_EQ(read(*pages, {name(0), name(1)}), 2u);
  EXPECT_EQ(memory_[3], memory_[0]);
  EXPECT_EQ(memory_[4], memory_[1]);
}

TEST_F(DiskPagesTest, ReadsUpToTheFirstThatIsNotThere) {
  auto pages = open();
  EXPECT_TRUE(pages->write(name(0), 0));
  EXPECT_TRUE(pages->write(name(2), 2));
  EXPECT_EQ(read(*pages, {name(0), name(1), name(2)}), 1u);
}

TEST_F(DiskPagesTest, WhatIsDamagedIsRemoved) {
  const auto flip = [&](u64 at) {
    std::fstream file(file_of(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(i64(at));
    const char byte = char(file.get());
    file.seekp(i64(at));
    file.put(char(byte ^ 4));
  };
  const std::vector<std::function<void()>> harms = {
      [&] { flip(0); },        // magic
      [&] { flip(9); },        // name
      [&] { flip(41); },       // length
      [&] { flip(50); },       // checksum
      [&] { flip(kHeader); },  // data
      [&] { flip(kHeader + kBytes - 1); },
      [&] { fs::resize_file(file_of(0), kHeader + kBytes - 1); },
      [&] { fs::resize_file(file_of(0), kHeader + kBytes + 1); },
      [&] { fs::resize_file(file_of(0), 0); }};
  for (u64 i = 0; i < harms.size(); ++i) {
    auto pages = open();
    ASSERT_TRUE(pages->write(name(0), 0));
    harms[i]();
    EXPECT_EQ(read(*pages, {name(0)}), 0u) << i;
    EXPECT_EQ(pages->stats().damaged, 1u) << i;
    EXPECT_FALSE(pages->has(name(0)));
    EXPECT_EQ(file_count(), 0u) << i;
  }
}

TEST_F(DiskPagesTest, LinksAndFoldersAreNoPages) {
  auto pages = open();
  ASSERT_TRUE(pages->write(name(0), 0));
  const fs::path place = file_of(0), elsewhere = folder_.string() + "_elsewhere";
  fs::rename(place, elsewhere);
  fs::create_symlink(elsewhere, place);
  EXPECT_EQ(read(*pages, {name(0)}), 0u);
  EXPECT_TRUE(fs::exists(elsewhere));
  fs::remove(place);
  fs::remove(elsewhere);
  fs::create_directory(place);
  EXPECT_EQ(read(*open(), {name(0)}), 0u);
}

TEST_F(DiskPagesTest, OtherFilesAreLeftAlone) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "letter.txt") << "dear";
  std::ofstream(folder_ / "00.page") << "no name";
  auto pages = open(1);  // no room at all
  EXPECT_EQ(pages->stats().pages, 0u);
  EXPECT_FALSE(pages->write(name(0), 0));
  EXPECT_EQ(file_count(), 2u);
}

TEST_F(DiskPagesTest, WhatWasNotUsedForLongestGoesFirst) {
  auto pages = open(3 * (kBytes + kHeader));
  for (text::TokenId i = 0; i < 3; ++i) EXPECT_TRUE(pages->write(name(i), u32(i)));
  EXPECT_EQ(read(*pages, {name(0)}), 1u);
  EXPECT_TRUE(pages->write(name(4), 4));
  EXPECT_TRUE(pages->has(name(0)));
  EXPECT_FALSE(pages->has(name(1)));
  EXPECT_EQ(file_count(), 3u);
  pages.reset();
  // A smaller limit at the next start.
  EXPECT_EQ(open(kBytes + kHeader)->stats().pages, 1u);
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(DiskPagesTest, AFullDiskLeavesNothingHalfWritten) {
  auto pages = open();
  // Files may not grow beyond this: the write fails as it does on a full disk.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 8192, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool written = pages->write(name(0), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  EXPECT_FALSE(written);
  EXPECT_EQ(pages->stats().failed, 1u);
  EXPECT_EQ(file_count(), 0u);
  EXPECT_TRUE(pages->write(name(0), 0)) << "and later it works again";
}

TEST_F(DiskPagesTest, AFolderThatCannotBeHadIsOneClearError) {
  const auto memory = [](u32) { return std::span<u8>(); };
  std::ofstream(folder_.string()) << "a file";
  const auto pages = DiskPages::open({.folder = folder_}, "model", memory);
  ASSERT_FALSE(pages);
  EXPECT_NE(pages.error().message.find("cache folder"), std::string::npos);
}

}  // namespace
}  // namespace orrery::engine
