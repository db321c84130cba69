// Tests of the GGUF reader and writer on honest files: every value type, versions, shapes, splits.
#include "checkpoint/gguf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "checkpoint/gguf_writer.h"
#include "checkpoint/test_files.h"

namespace orrery::checkpoint {
namespace {

using testing::as_bytes;
using testing::Raw;
using testing::TemporaryFolder;

GgufValue array(GgufType type, std::vector<GgufValue> elements) {
  return {GgufArray{u32(type), std::move(elements)}};
}

// A writer's file with these tensors, their data all the tensor's index + 1.
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<GgufTensor>& tensors, u32 alignment = 32) {
  auto writer = GgufWriter::create(path, metadata, tensors, alignment);
  ASSERT_TRUE(writer) << writer.error().message;
  u8 fill = 0;
  for (const GgufTensor& tensor : tensors) {
    u64 bytes = *row_bytes(tensor.format, tensor.shape.back());
    for (u64 i = 0; i + 1 < tensor.shape.size(); ++i) bytes *= tensor.shape[i];
    const std::vector<u8> data(bytes, ++fill);
    const Bytes view(data);
    ASSERT_TRUE((*writer)->write(view.first(bytes / 3)));
    ASSERT_TRUE((*writer)->write(view.subspan(bytes / 3)));
  }
  const auto finished = (*writer)->finish();
  ASSERT_TRUE(finished) << finished.error().message;
}

std::unique_ptr<Checkpoint> open(const std::filesystem::path& path) {
  auto opened = Checkpoint::open(path);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

const GgufMetadata kEveryType = {
    {"u8", {u8(255)}},
    {"i8", {i8(-128)}},
    {"u16", {u16(65535)}},
    {"i16", {i16(-32768)}},
    {"u32", {u32(4294967295)}},
    {"i32", {i32(-2147483647)}},
    {"f32", {f32(0.1f)}},
    {"true", {true}},
    {"false", {false}},
    {"string", {std::string("h\xc3\xa4llo")}},
    {"u64", {u64(INT64_MAX)}},
    {"i64", {i64(INT64_MIN)}},
    {"f64", {f64(0.1)}},
    {"strings", array(GgufType::kString, {{std::string("a")}, {std::string()}})},
    {"integers", array(GgufType::kI32, {{i32(-1)}, {i32(7)}})},
    {"bytes", array(GgufType::kU8, {{u8(0)}, {u8(255)}})},
    {"floats", array(GgufType::kF32, {{f32(0.5f)}})},
    {"bools", array(GgufType::kBool, {{true}, {false}})},
    {"nothing", array(GgufType::kU64, {})},
    {"nested",
     array(GgufType::kArray, {array(GgufType::kI8, {{i8(1)}}), array(GgufType::kF64, {})})},
};

void expect_every_type(const Config& config) {
  EXPECT_EQ(*config.get_integer("u8"), 255);
  EXPECT_EQ(*config.get_integer("i8"), -128);
  EXPECT_EQ(*config.get_integer("u16"), 65535);
  EXPECT_EQ(*config.get_integer("i16"), -32768);
  EXPECT_EQ(*config.get_integer("u32"), 4294967295);
  EXPECT_EQ(*config.get_integer("i32"), -2147483647);
  EXPECT_EQ(*config.get_number("f32"), f64(0.1f));
  EXPECT_EQ(*config.get_bool("true"), true);
  EXPECT_EQ(*config.get_bool("false"), false);
  EXPECT_EQ(*config.get_string("string"), "h\xc3\xa4llo");
  EXPECT_EQ(*config.get_integer("u64"), INT64_MAX);
  EXPECT_EQ(*config.get_integer("i64"), INT64_MIN);
  EXPECT_EQ(*config.get_number("f64"), 0.1);
  EXPECT_EQ(**config.get_strings("strings"), (Strings{"a", ""}));
  EXPECT_EQ(*config.get_integers("integers"), (Integers{-1, 7}));
  EXPECT_EQ(*config.get_integers("bytes"), (Integers{0, 255}));
  EXPECT_EQ(*config.get_numbers("floats"), (Floats{0.5}));
  const Array& bools = std::get<Array>(config.find("bools")->data);
  ASSERT_EQ(bools.size(), 2u);
  EXPECT_EQ(std::get<bool>(bools[0].data), true);
  EXPECT_EQ(std::get<bool>(bools[1].data), false);
  EXPECT_TRUE((*config.get_integers("nothing"))->empty());
  const Array& nested = std::get<Array>(config.find("nested")->data);
  ASSERT_EQ(nested.size(), 2u);
  EXPECT_EQ(std::get<Integers>(nested[0].data), (Integers{1}));
  EXPECT_TRUE(std::get<Floats>(nested[1].data).empty());
  EXPECT_TRUE(config.unread().empty());
}

TEST(Gguf, EveryValueTypeComesBackInBothVersions) {
  TemporaryFolder folder;
  write_gguf(folder.path() / "v3.gguf", kEveryType, {});
  expect_every_type(open(folder.path() / "v3.gguf")->config());

  std::string bytes = testing::read_bytes(folder.path() / "v3.gguf");
  EXPECT_EQ(parse_gguf(as_bytes(bytes))->version, 3u);
  bytes[4] = 2;  // the two differ in nothing else
  EXPECT_EQ(parse_gguf(as_bytes(bytes))->version, 2u);
  expect_every_type(open(folder.write("v2.gguf", bytes))->config());
}

TEST(Gguf, TensorsComeBackWithShapesInOrderOfMathematics) {
  TemporaryFolder folder;
  const auto path = folder.path() / "model.gguf";
  write_gguf(path, {},
             {{"norm", Format::kF32, {5}},
              {"up", Format::kQ4_1, {3, 64}},
              {"experts", Format::kQ4_K, {2, 3, 256}},
              {"four", Format::kF16, {2, 3, 4, 5}}});
  const auto checkpoint = open(path);
  EXPECT_EQ(checkpoint->kind(), Kind::kGguf);
  EXPECT_EQ(checkpoint->path(), path);
  EXPECT_EQ(checkpoint->file_bytes(), std::filesystem::file_size(path));
  EXPECT_FALSE(checkpoint->text_file("tokenizer.json"));
  ASSERT_EQ(checkpoint->tensors().size(), 4u);
  EXPECT_EQ(checkpoint->tensors()[0].name, "norm");  // the file's order
  const TensorView* up = checkpoint->find("up");
  ASSERT_NE(up, nullptr);
  EXPECT_EQ(up->format, Format::kQ4_1);
  EXPECT_EQ(up->shape, (std::vector<u64>{3, 64}));
  EXPECT_EQ(up->bytes.size(), 3 * 2 * 20u);
  EXPECT_EQ(checkpoint->find("experts")->shape, (std::vector<u64>{2, 3, 256}));
  EXPECT_EQ(checkpoint->find("four")->shape, (std::vector<u64>{2, 3, 4, 5}));
  EXPECT_EQ(checkpoint->find("down"), nullptr);
  u8 fill = 0;
  for (const TensorView& tensor : checkpoint->tensors()) {
    ++fill;
    for (const u8 byte : tensor.bytes) ASSERT_EQ(byte, fill) << tensor.name;
    checkpoint->drop(tensor);
    for (const u8 byte : tensor.bytes) ASSERT_EQ(byte, fill) << tensor.name;  // read again
  }
}

TEST(Gguf, EveryTensorTypeOfTheFormatIsNamed) {
  const std::vector<u32> removed = {4, 5, 31, 32, 33, 36, 37, 38};
  for (u32 type = 0; type <= 42; ++type) {
    Raw raw;
    raw.gguf(3, 1, 0).tensor("t", {256}, type, 0).pad().data(2048);
    const auto part = parse_gguf(as_bytes(raw.bytes));
    if (std::find(removed.begin(), removed.end(), type) == removed.end()) {
      ASSERT_TRUE(part) << type << ": " << part.error().message;
      EXPECT_EQ(info(part->tensors[0].format).gguf_type, i32(type));
      EXPECT_EQ(part->tensors[0].bytes.size(), *row_bytes(part->tensors[0].format, 256));
    } else {
      ASSERT_FALSE(part) << type;
      EXPECT_NE(part.error().message.find("was removed"), std::string::npos);
    }
  }
}

TEST(Gguf, AlignmentMovesTheData) {
  TemporaryFolder folder;
  for (const u32 alignment : {8u, 64u, 4096u}) {
    const auto path = folder.path() / "aligned.gguf";
    write_gguf(path, {{"general.alignment", {alignment}}},
               {{"a", Format::kF32, {3}}, {"b", Format::kI8, {5}}}, alignment);
    const auto checkpoint = open(path);
    for (const TensorView& tensor : checkpoint->tensors())
      EXPECT_EQ(std::uintptr_t(tensor.bytes.data()) % alignment, 0u);  // maps begin at a page
    EXPECT_EQ(checkpoint->find("b")->bytes[4], 2);
    EXPECT_TRUE(checkpoint->config().unread().empty());
  }
}

TEST(Gguf, VocabularyLoadsPackedAndQuickly) {
  Raw raw;
  raw.gguf(3, 0, 2).key("tokens", GgufType::kArray) << GgufType::kString << u64(150'000);
  for (u32 i = 0; i < 150'000; ++i) raw.string(fmt::format("token {}", i));
  raw.key("types", GgufType::kArray) << GgufType::kI32 << u64(150'000);
  for (i32 i = 0; i < 150'000; ++i) raw << i;
  const auto begin = std::chrono::steady_clock::now();
  const auto part = parse_gguf(as_bytes(raw.bytes));
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_EQ(std::get<Strings>(part->metadata.at("tokens").data)[149'999], "token 149999");
  EXPECT_EQ(std::get<Integers>(part->metadata.at("types").data)[149'999], 149'999);
  EXPECT_LT(took, std::chrono::milliseconds(500));  // 8 ms; wide for sanitizers and busy machines
}

GgufMetadata split_keys(u16 index, u16 count, i32 tensors) {
  return {{"split.no", {index}}, {"split.count", {count}}, {"split.tensors.count", {tensors}}};
}

TEST(Gguf, AnyPartOpensTheWholeSplit) {
  TemporaryFolder folder;
  GgufMetadata first = split_keys(0, 3, 3);
  first.push_back({"general.architecture", {std::string("llama")}});
  write_gguf(folder.path() / "m-00001-of-00003.gguf", first, {});
  write_gguf(folder.path() / "m-00002-of-00003.gguf", split_keys(1, 3, 3),
             {{"a", Format::kF32, {4}}, {"b", Format::kF32, {4}}});
  write_gguf(folder.path() / "m-00003-of-00003.gguf", split_keys(2, 3, 3),
             {{"c", Format::kF32, {8}}});
  for (const char* name : {"m-00001-of-00003.gguf", "m-00003-of-00003.gguf", "."}) {
    const auto checkpoint = open(folder.path() / name);
    ASSERT_EQ(checkpoint->tensors().size(), 3u);
    EXPECT_EQ(*checkpoint->config().get_string("general.architecture"), "llama");
    EXPECT_TRUE(checkpoint->config().unread().empty());
    EXPECT_EQ(checkpoint->find("b")->bytes[15], 2);
    EXPECT_EQ(checkpoint->find("c")->bytes[31], 1);
    EXPECT_EQ(checkpoint->find("c")->file, 2u);
    checkpoint->drop(*checkpoint->find("c"));
  }
}

TEST(Gguf, NamesOfSplitFiles) {
  const auto name = parse_split_name("my-model-00002-of-00003.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->prefix, "my-model");
  EXPECT_EQ(name->number, 2u);
  EXPECT_EQ(name->count, 3u);
  for (const char* other :
       {"model.gguf", "-00001-of-00003.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf",
        "m-0001-of-00003.gguf", "m-00001-of-0000x.gguf", "m-00001-of-00003.bin",
        "m-+0001-of-00003.gguf", ""})
    EXPECT_FALSE(parse_split_name(other)) << other;
}

TEST(GgufWriter, RefusesWhatWouldBeNoFile) {
  TemporaryFolder folder;
  const auto path = folder.path() / "x.gguf";
  EXPECT_FALSE(GgufWriter::create(path, {}, {{"a", Format::kQ4_K, {3, 64}}}));
  EXPECT_FALSE(GgufWriter::create(path, {}, {{"a", Format::kF8_E4M3, {64}}}));
  EXPECT_FALSE(GgufWriter::create(path, {}, {{"a", Format::kF32, {}}}));
  EXPECT_FALSE(GgufWriter::create(path, {}, {{"a", Format::kF32, {u64(1) << 62, 8}}}));
  EXPECT_FALSE(GgufWriter::create(path, {{"k", array(GgufType::kU8, {{i32(1)}})}}, {}));
  EXPECT_FALSE(GgufWriter::create(path, {}, {}, 3));
  EXPECT_FALSE(GgufWriter::create(folder.path() / "no" / "x.gguf", {}, {}));
  auto writer = *GgufWriter::create(path, {}, {{"a", Format::kF32, {2}}});
  const std::vector<u8> data(9);
  EXPECT_FALSE(writer->write(data));  // too much
  EXPECT_TRUE(writer->write(Bytes(data).first(4)));
  EXPECT_FALSE(writer->finish());  // too little
  writer.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));  // and nothing is left of it
}

}  // namespace
}  // namespace orrery::checkpoint
