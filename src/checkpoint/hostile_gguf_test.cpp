// GGUF files that lie: each must end in one error line that names the right reason, quickly and
// with little memory. The files are put together byte by byte and opened from disk as a user would.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

#include "checkpoint/checkpoint.h"
#include "checkpoint/test_files.h"

namespace orrery::checkpoint {
namespace {

using testing::Raw;
using testing::TemporaryFolder;

constexpr u64 kHuge = u64(1) << 63;
constexpr u32 kF32 = 0, kQ4_K = 12;

struct Hostile {
  std::string name;
  std::string bytes;
  std::string reason;  // a part of the error that it must get
};

void expect_refused(const std::filesystem::path& path, const Hostile& hostile) {
  const auto begin = std::chrono::steady_clock::now();
  const auto opened = Checkpoint::open(path);
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(opened) << hostile.name;
  const std::string& message = opened.error().message;
  EXPECT_NE(message.find(hostile.reason), std::string::npos) << hostile.name << ": " << message;
  EXPECT_NE(message.find(path.filename().string()), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << hostile.name;
  EXPECT_LT(message.size(), 500u) << hostile.name;
  EXPECT_LT(took, std::chrono::seconds(2)) << hostile.name;
}

u64 peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return u64(usage.ru_maxrss) * 1024;
}

// An honest file of 2 keys and 2 tensors, which every truncation must break.
std::string honest() {
  Raw raw;
  raw.gguf(3, 2, 2).key("general.architecture", GgufType::kString).string("llama");
  raw.key("tokens", GgufType::kArray) << GgufType::kString << u64(2);
  raw.string("a").string("b");
  raw.tensor("a", {4, 2}, kF32, 0).tensor("b", {256}, kQ4_K, 32).pad().data(32 + 144);
  return raw.bytes;
}

std::vector<Hostile> headers() {
  return {{"no magic", Raw().gguf(3, 0, 0).bytes.replace(0, 1, "X"), "supported are GGUF"},
          {"only the magic", "GGUF", "ends inside the header"},
          {"three bytes", "GGU", "supported are GGUF"},
          {"version 0", Raw().gguf(0, 0, 0).bytes, "version 0"},
          {"version 1", Raw().gguf(1, 0, 0).bytes, "version 1"},
          {"version 4", Raw().gguf(4, 0, 0).bytes, "version 4"},
          {"version 99", Raw().gguf(99, 0, 0).bytes, "version 99"},
          {"version 2^32-1", Raw().gguf(UINT32_MAX, 0, 0).bytes, "version 4294967295"},
          {"big-endian", Raw().gguf(3u << 24, 0, 0).bytes, "big-endian"},
          {"byte-swapped magic", "FUGG" + Raw().gguf(3, 0, 0).bytes.substr(4), "byte order"},
          {"2^63 tensors", Raw().gguf(3, kHuge, 0).data(64).bytes, "9223372036854775808 tensors"},
          {"2^64-1 tensors", Raw().gguf(3, UINT64_MAX, 0).data(64).bytes, "tensors, but only"},
          {"1 tensor in 0 bytes", Raw().gguf(3, 1, 0).bytes, "1 tensors, but only 0"},
          {"2^63 keys", Raw().gguf(3, 0, kHuge).data(64).bytes, "metadata keys, but only"},
          {"70000 keys", Raw().gguf(3, 0, 70'000).data(1'000'000).bytes, "more than 65536"},
          {"300000 tensors", Raw().gguf(3, 300'000, 0).data(10'000'000).bytes, "more than 262144"}};
}

std::string with_value(GgufType type, const Raw& value) {
  return (Raw().gguf(3, 0, 1).key("k", type) << value.bytes).bytes;
}

std::string nested_arrays(u32 depth) {
  Raw raw;
  for (u32 i = 0; i < depth; ++i) raw << GgufType::kArray << u64(1);
  return with_value(GgufType::kArray, raw << GgufType::kU8 << u64(1) << u8(0));
}

std::string array_of(GgufType type, u64 count, u64 data_bytes) {
  return with_value(GgufType::kArray, (Raw() << type << count).data(data_bytes));
}

std::vector<Hostile> metadata() {
  const std::string long_key(65'536, 'k');
  std::vector<Hostile> all = {
      {"key length 2^63", (Raw().gguf(3, 0, 1) << kHuge).data(64).bytes, "inside metadata key 0"},
      {"key length 2^64-1", (Raw().gguf(3, 0, 1) << UINT64_MAX).data(64).bytes,
       "inside metadata key"},
      {"empty key", (Raw().gguf(3, 0, 1).key("", GgufType::kU64) << u64(0)).bytes, "no valid name"},
      {"long key", (Raw().gguf(3, 0, 1).key(long_key, GgufType::kU8) << u8(0)).bytes,
       "no valid name"},
      {"key not UTF-8", (Raw().gguf(3, 0, 1).key("\xff\xfe", GgufType::kU8) << u8(0)).bytes,
       "\\xff\\xfe"},
      {"key with a line end", (Raw().gguf(3, 0, 1).key("a\nb", GgufType::kU8) << u8(0)).bytes,
       "a\\x0ab"},
      {"key twice",
       (Raw().gguf(3, 0, 2).key("k", GgufType::kU8) << u8(0)).bytes +
           (Raw().key("k", GgufType::kU8) << u8(0)).bytes,
       "'k' stands twice"},
      {"value type 13", with_value(GgufType(13), Raw().data(64)), "unknown value type 13"},
      {"value type 2^31", with_value(GgufType(1u << 31), Raw().data(64)), "unknown value type"},
      {"bool of 2", with_value(GgufType::kBool, Raw() << u8(2)), "a bool has the value 2"},
      {"u64 above 2^63", with_value(GgufType::kU64, Raw() << kHuge), "too large"},
      {"u64 cut off", with_value(GgufType::kU64, Raw() << u32(0)), "ends inside"},
      {"string length 2^63", with_value(GgufType::kString, (Raw() << kHuge).data(64)),
       "inside a string"},
      {"string length 2^64-1", with_value(GgufType::kString, (Raw() << UINT64_MAX).data(64)),
       "inside a string"},
      {"string past the end", with_value(GgufType::kString, (Raw() << u64(65)).data(64)),
       "inside a string"},
      {"array of 2^60 u8", array_of(GgufType::kU8, u64(1) << 60, 64),
       "an array of 1152921504606846976"},
      {"array of 2^61 u64", array_of(GgufType::kU64, u64(1) << 61, 64), "an array of"},
      {"array of 2^64-1 strings", array_of(GgufType::kString, UINT64_MAX, 64), "an array of"},
      {"array one too long", array_of(GgufType::kU16, 33, 64), "an array of 33 elements"},
      {"array of 2^60 arrays", array_of(GgufType::kArray, u64(1) << 60, 64), "an array of"},
      {"array of unknown type", array_of(GgufType(13), 1, 64), "unknown value type 13"},
      {"array whose string runs over", array_of(GgufType::kString, 1, 64), "array element 0"},
      {"array with a bool of 1 and 7",
       with_value(GgufType::kArray, Raw() << GgufType::kBool << u64(2) << u8(1) << u8(7)),
       "array element 1: a bool"},
      {"arrays 9 deep", nested_arrays(8), "nested more than 8 deep"},
      {"arrays 10000 deep", nested_arrays(10'000), "nested more than 8 deep"},
      {"5 million bools", array_of(GgufType::kBool, 5'000'000, 5'000'000),
       "more than 4194304 elements"},
  };
  Raw budget;  // each array is within the limit, all together are not
  budget.gguf(3, 0, 40);
  for (u32 i = 0; i < 40; ++i)
    (budget.key(fmt::format("k{}", i), GgufType::kArray) << GgufType::kU8 << u64(1 << 17))
        .data(1 << 17);
  all.push_back({"40 arrays of 2^17", budget.bytes, "more than 4194304 elements"});
  return all;
}

std::vector<Hostile> alignments() {
  std::vector<Hostile> all;
  for (const u32 alignment : {0u, 1u, 3u, 4u, 33u, 1u << 21, 1u << 31, UINT32_MAX})
    all.push_back(
        {fmt::format("alignment {}", alignment),
         (Raw().gguf(3, 0, 1).key("general.alignment", GgufType::kU32) << alignment).bytes,
         "general.alignment is"});
  all.push_back({"alignment as string",
                 Raw().gguf(3, 0, 1).key("general.alignment", GgufType::kString).string("32").bytes,
                 "general.alignment is no integer"});
  all.push_back({"alignment -32",
                 (Raw().gguf(3, 0, 1).key("general.alignment", GgufType::kI32) << i32(-32)).bytes,
                 "general.alignment is -32"});
  return all;
}

// A file with one tensor and 1024 bytes of data.
std::string with_tensor(std::string_view name, std::initializer_list<u64> sizes, u32 type,
                        u64 offset) {
  return Raw().gguf(3, 1, 0).tensor(name, sizes, type, offset).pad().data(1024).bytes;
}

std::string with_dimensions(u32 dimensions) {
  return (Raw().gguf(3, 1, 0).string("t") << dimensions).data(1024).bytes;
}

std::string with_two(std::initializer_list<u64> a, u64 a_offset, std::initializer_list<u64> b,
                     u64 b_offset, std::string_view second = "b") {
  return Raw()
      .gguf(3, 2, 0)
      .tensor("a", a, kF32, a_offset)
      .tensor(second, b, kF32, b_offset)
      .pad()
      .data(1024)
      .bytes;
}

std::vector<Hostile> tensors() {
  return {
      {"offset at the end", with_tensor("t", {8}, kF32, 1024), "past the end of the file"},
      {"offset outside", with_tensor("t", {8}, kF32, 1 << 20), "past the end of the file"},
      {"offset 2^63", with_tensor("t", {8}, kF32, kHuge), "past the end of the file"},
      {"offset and size wrap", with_tensor("t", {16}, kF32, UINT64_MAX - 31),
       "past the end of the file"},
      {"one value too many", with_tensor("t", {257}, kF32, 0), "past the end of the file"},
      {"offset misaligned", with_tensor("t", {8}, kF32, 4), "no multiple of 32"},
      {"offset odd", with_tensor("t", {8}, kF32, 33), "no multiple of 32"},
      {"first dimension 0", with_tensor("t", {0}, kF32, 0), "a dimension is 0"},
      {"last dimension 0", with_tensor("t", {8, 0}, kF32, 0), "a dimension is 0"},
      {"0 and 2^63", with_tensor("t", {kHuge, 0, kHuge}, kF32, 0), "a dimension is 0"},
      {"dimension 2^63", with_tensor("t", {kHuge}, kF32, 0), "no whole blocks"},
      {"dimension 2^62", with_tensor("t", {u64(1) << 61, 2}, kF32, 0), "overflows"},
      {"product wraps to 0", with_tensor("t", {u64(1) << 32, u64(1) << 32}, kF32, 0), "overflows"},
      {"product wraps to 32", with_tensor("t", {8, (u64(1) << 61) + 1}, kF32, 0), "overflows"},
      {"four large dimensions", with_tensor("t", {65536, 65536, 65536, 65536}, kF32, 0),
       "overflows"},
      {"exabyte", with_tensor("t", {u64(1) << 30, u64(1) << 28}, kF32, 0),
       "past the end of the file"},
      {"0 dimensions", with_dimensions(0), "0 dimensions"},
      {"5 dimensions", with_dimensions(5), "5 dimensions"},
      {"2^31 dimensions", with_dimensions(1u << 31), "2147483648 dimensions"},
      {"2^32-1 dimensions", with_dimensions(UINT32_MAX), "dimensions, not 1 to 4"},
      {"type 43", with_tensor("t", {8}, 43, 0), "unknown tensor type 43"},
      {"type 2^32-1", with_tensor("t", {8}, UINT32_MAX, 0), "unknown tensor type"},
      {"removed type", with_tensor("t", {256}, 31, 0), "Q4_0_4_4 was removed"},
      {"part of a block", with_tensor("t", {100}, kQ4_K, 0), "no whole blocks of Q4_K"},
      {"rows of part blocks", with_tensor("t", {128, 2}, kQ4_K, 0), "no whole blocks of Q4_K"},
      {"same place", with_two({8}, 0, {8}, 0), "'a' and 'b' overlap"},
      {"overlap", with_two({16}, 0, {8}, 32), "'a' and 'b' overlap"},
      {"overlap backwards", with_two({8}, 64, {32}, 0), "'b' and 'a' overlap"},
      {"inside another", with_two({128}, 0, {8}, 256), "overlap"},
      {"name twice", with_two({8}, 0, {8}, 32, "a"), "'a' stands twice"},
      {"name not UTF-8", with_tensor("\xc3", {8}, kF32, 0), "no valid name"},
      {"name with escape codes", with_tensor("\x1b[2J", {8}, kF32, 0), "\\x1b[2J"},
      {"name with a zero byte", with_tensor({"a\0b", 3}, {8}, kF32, 0), "no valid name"},
      {"empty name", with_tensor("", {8}, kF32, 0), "no valid name"},
      {"name of 300 bytes", with_tensor(std::string(300, 'n'), {8}, kF32, 0), "no valid name"},
      {"name length 2^63", (Raw().gguf(3, 1, 0) << kHuge).data(1024).bytes,
       "inside the name of tensor 0"},
      {"data missing", Raw().gguf(3, 1, 0).tensor("t", {8}, kF32, 0).bytes,
       "past the end of the file"},
  };
}

TEST(HostileGguf, EveryLieIsRefused) {
  const u64 memory_before = peak_memory_bytes();
  u64 count = 0;
  for (const auto& table : {headers(), metadata(), alignments(), tensors()})
    for (const Hostile& hostile : table) {
      TemporaryFolder folder;
      expect_refused(folder.write("hostile.gguf", hostile.bytes), hostile);
      ++count;
    }
  EXPECT_GE(count, 80u);
  EXPECT_LT(peak_memory_bytes() - memory_before, u64(512) << 20);
}

TEST(HostileGguf, EveryTruncationIsRefused) {
  const std::string whole = honest();
  TemporaryFolder folder;
  ASSERT_TRUE(Checkpoint::open(folder.write("whole.gguf", whole)));
  for (u64 size = 0; size < whole.size(); ++size)
    expect_refused(folder.write("cut.gguf", whole.substr(0, size)),
                   {fmt::format("cut at {}", size), "", ""});
}

// Every byte of the front set to every of a few values: it may open or not, but must never crash.
TEST(HostileGguf, NoChangedByteCrashes) {
  const std::string whole = honest();
  TemporaryFolder folder;
  for (u64 i = 0; i < whole.size() - 176; ++i)
    for (const char value : {'\x00', '\x01', '\x7f', '\x80', '\xff'}) {
      std::string changed = whole;
      changed[i] = value;
      (void)Checkpoint::open(folder.write("changed.gguf", changed));
    }
}

// A sparse file costs its writer nothing: zeros are 16 million empty strings.
TEST(HostileGguf, SparseGigabytesOfEmptyStringsTakeNoMemory) {
  const u64 memory_before = peak_memory_bytes();
  TemporaryFolder folder;
  const Hostile hostile{"sparse", array_of(GgufType::kString, u64(1) << 23, 0), "an array of"};
  const auto path = folder.write("hostile.gguf", hostile.bytes);
  std::filesystem::resize_file(path, u64(4) << 30);
  expect_refused(path, {"sparse", "", "more than 4194304 elements"});
  EXPECT_LT(peak_memory_bytes() - memory_before, u64(64) << 20);
}

struct Part {
  i32 index, count, tensors;  // what it says of itself; a count of -1: nothing
};

std::string part_bytes(const Part& part, u32 number) {
  Raw raw;
  raw.gguf(3, 1, part.count < 0 ? 0 : 3);
  if (part.count >= 0) {
    raw.key("split.no", GgufType::kI32) << part.index;
    raw.key("split.count", GgufType::kI32) << part.count;
    raw.key("split.tensors.count", GgufType::kI32) << part.tensors;
  }
  return raw.tensor(fmt::format("t{}", number), {8}, kF32, 0).pad().data(32).bytes;
}

TEST(HostileGguf, PartsThatDisagreeAreRefused) {
  struct Case {
    std::string name;
    std::vector<Part> parts;  // of m-0000x-of-00002.gguf; fewer than two: the rest is missing
    std::string reason;
  };
  const Case cases[] = {
      {"second part missing", {{0, 2, 2}}, "No such file"},
      {"other count", {{0, 2, 2}, {1, 3, 2}}, "part 2 of 3"},
      {"other index", {{0, 2, 2}, {0, 2, 2}}, "its name says 2 of 2"},
      {"no split keys in the second", {{0, 2, 2}, {0, -1, 0}}, "its name says 2 of 2"},
      {"fewer tensors than promised", {{0, 2, 3}, {1, 2, 3}}, "the parts have 2 tensors"},
      {"2^31-1 tensors promised",
       {{0, 2, INT32_MAX}, {1, 2, INT32_MAX}},
       "the parts have 2 tensors"},
      {"totals disagree", {{0, 2, 2}, {1, 2, 4}}, "not the same as in the other parts"},
      {"index past the count", {{2, 2, 2}, {1, 2, 2}}, "outside 0 to 1"},
      {"negative index", {{-1, 2, 2}, {1, 2, 2}}, "outside 0 to 1"},
      {"65536 parts", {{0, 65'536, 2}, {1, 65'536, 2}}, "outside 0 to 65535"},
      {"name disagrees", {{1, 2, 2}, {0, 2, 2}}, "its name does not end in -00002-of-00002"}};
  for (const Case& hostile : cases) {
    TemporaryFolder folder;
    for (u32 i = 0; i < hostile.parts.size(); ++i)
      folder.write(fmt::format("m-{:05}-of-00002.gguf", i + 1), part_bytes(hostile.parts[i], i));
    const auto opened = Checkpoint::open(folder.path() / "m-00001-of-00002.gguf");
    ASSERT_FALSE(opened) << hostile.name;
    EXPECT_NE(opened.error().message.find(hostile.reason), std::string::npos)
        << hostile.name << ": " << opened.error().message;
  }
  TemporaryFolder folder;
  folder.write("m-00001-of-00002.gguf", part_bytes({0, 2, 2}, 0));
  folder.write("m-00002-of-00002.gguf", part_bytes({1, 2, 2}, 0));
  const auto opened = Checkpoint::open(folder.path() / "m-00001-of-00002.gguf");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("'t0' stands twice"), std::string::npos);
  const auto renamed = Checkpoint::open(folder.write("m.gguf", part_bytes({0, 2, 2}, 0)));
  ASSERT_FALSE(renamed);
  EXPECT_NE(renamed.error().message.find("its name does not end in"), std::string::npos);
}

}  // namespace
}  // namespace orrery::checkpoint
