// Tests of Hugging Face folders on honest files, and of how Checkpoint::open tells formats apart.
#include "checkpoint/hugging_face.h"

#include <gtest/gtest.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/test_files.h"

namespace orrery::checkpoint {
namespace {

using testing::as_bytes;
using testing::safetensors;
using testing::TemporaryFolder;

std::unique_ptr<Checkpoint> open(const std::filesystem::path& path) {
  auto opened = Checkpoint::open(path);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

std::string problem(const std::filesystem::path& path) {
  const auto opened = Checkpoint::open(path);
  EXPECT_FALSE(opened);
  return opened ? "" : opened.error().message;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

TEST(Safetensors, EveryDtypeScalarsAndEmptyTensors) {
  const std::pair<const char*, u64> dtypes[] = {
      {"F64", 8},     {"F32", 4},     {"F16", 2},    {"BF16", 2}, {"I64", 8},
      {"I32", 4},     {"I16", 2},     {"I8", 1},     {"U8", 1},   {"BOOL", 1},
      {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}};
  for (const auto& [dtype, bytes] : dtypes) {
    const std::string file = safetensors(fmt::format(R"({{"__metadata__":{{"format":"pt"}},
          "m":{{"dtype":"{0}","shape":[2,3],"data_offsets":[{1},{2}]}},
          "scalar":{{"data_offsets":[0,{1}],"shape":[],"dtype":"{0}"}},
          "empty":{{"dtype":"{0}","shape":[0,9],"data_offsets":[{1},{1}]}}}}   )",
                                                     dtype, bytes, bytes * 7),
                                         bytes * 7);
    const auto tensors = parse_safetensors(as_bytes(file));
    ASSERT_TRUE(tensors) << tensors.error().message;
    ASSERT_EQ(tensors->size(), 3u);
    EXPECT_EQ((*tensors)[0].name, "scalar");
    EXPECT_TRUE((*tensors)[0].shape.empty());
    EXPECT_EQ((*tensors)[1].name, "empty");
    EXPECT_EQ((*tensors)[1].bytes.size(), 0u);
    EXPECT_EQ((*tensors)[2].shape, (std::vector<u64>{2, 3}));
    EXPECT_EQ((*tensors)[2].bytes.size(), bytes * 6);
    EXPECT_EQ(name((*tensors)[2].format), dtype);
    EXPECT_EQ((*tensors)[2].bytes.data() + bytes * 6, as_bytes(file).data() + file.size());
  }
  EXPECT_TRUE(parse_safetensors(as_bytes(safetensors("{}", 0)))->empty());
}

constexpr std::string_view kOne = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
constexpr std::string_view kOther = R"({"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})";

TEST(HuggingFace, OneFile) {
  TemporaryFolder folder;
  folder.write("config.json", R"({"model_type": "llama", "hidden_size": 576})");
  folder.write("model.safetensors", safetensors(kOne, 8));
  folder.write("tokenizer.json", "{}");
  const auto checkpoint = open(folder.path());
  EXPECT_EQ(checkpoint->kind(), Kind::kHuggingFace);
  EXPECT_EQ(*checkpoint->config().require_u32("hidden_size", 1, 1000), 576u);
  EXPECT_EQ(checkpoint->find("a")->shape, (std::vector<u64>{2}));
  EXPECT_EQ(checkpoint->find("a")->bytes[7], 1);
  EXPECT_EQ(*checkpoint->text_file("tokenizer.json"), "{}");
  EXPECT_FALSE(checkpoint->text_file("chat_template.jinja"));
  EXPECT_FALSE(
      checkpoint->text_file("../" + folder.path().filename().string() + "/tokenizer.json"));
  EXPECT_FALSE(checkpoint->text_file("/etc/hostname"));
  EXPECT_FALSE(checkpoint->text_file("."));
  EXPECT_EQ(checkpoint->file_bytes(),
            std::filesystem::file_size(folder.path() / "model.safetensors"));
}

TEST(HuggingFace, ShardsThroughLinksAsInTheHubsCache) {
  TemporaryFolder blobs, folder;
  folder.write("config.json", "{}");
  blobs.write("1", safetensors(kOne, 8));
  blobs.write("2", safetensors(kOther, 3));
  std::filesystem::create_symlink(blobs.path() / "1", folder.path() / "model-1.safetensors");
  std::filesystem::create_symlink(blobs.path() / "2", folder.path() / "model-2.safetensors");
  folder.write("model.safetensors.index.json",
               R"({"metadata": {"total_size": 11},
                   "weight_map": {"b": "model-2.safetensors", "a": "model-1.safetensors"}})");
  const auto checkpoint = open(folder.path());
  ASSERT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_EQ(checkpoint->find("b")->format, Format::kU8);
  EXPECT_EQ(checkpoint->find("b")->file, 1u);
  checkpoint->drop(*checkpoint->find("b"));
  EXPECT_EQ(checkpoint->find("b")->bytes[2], 1);
}

TEST(Open, SaysWhatAFileIs) {
  TemporaryFolder folder;
  EXPECT_TRUE(contains(problem(folder.path() / "absent"), "no such file or folder"));
  EXPECT_TRUE(contains(problem(folder.write("empty", "")), "empty"));
  EXPECT_TRUE(contains(problem(folder.write("text", "hello world")), "supported are GGUF"));
  EXPECT_TRUE(contains(problem(folder.write("old", "lmgg....")), "before GGUF"));
  EXPECT_TRUE(contains(problem(folder.write("torch", "PK\x03\x04....")), "PyTorch"));
  EXPECT_TRUE(
      contains(problem(folder.write("x.safetensors", safetensors(kOne, 8))), "open its folder"));
  EXPECT_TRUE(
      contains(problem(folder.write("lfs.gguf", "version https://git-lfs.github.com/spec/v1\n")),
               "Git LFS pointer"));
  EXPECT_FALSE(Checkpoint::open("/dev/null"));
  EXPECT_FALSE(Checkpoint::open(""));
}

TEST(Open, SaysWhatAFolderLacks) {
  TemporaryFolder folder;
  EXPECT_TRUE(contains(problem(folder.path()), "no checkpoint in this folder"));
  folder.write("model.safetensors", safetensors(kOne, 8));
  EXPECT_TRUE(contains(problem(folder.path()), "no config.json"));
  std::filesystem::remove(folder.path() / "model.safetensors");
  folder.write("config.json", "{}");
  EXPECT_TRUE(contains(problem(folder.path()), "neither model.safetensors nor"));
  testing::Raw raw;
  raw.gguf(3, 0, 0);
  folder.write("a.gguf", raw.bytes);
  EXPECT_EQ(open(folder.path())->kind(), Kind::kGguf);
  folder.write("b.gguf", raw.bytes);
  EXPECT_TRUE(contains(problem(folder.path()), "name the one to open"));
}

}  // namespace
}  // namespace orrery::checkpoint
