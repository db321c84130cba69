// safetensors files, shard indexes and configs that lie: each must end in one error line that names
// the right reason.
#include <gtest/gtest.h>

#include <chrono>

#include "checkpoint/checkpoint.h"
#include "checkpoint/test_files.h"

namespace orrery::checkpoint {
namespace {

using testing::Raw;
using testing::safetensors;
using testing::TemporaryFolder;

struct Hostile {
  std::string bytes;
  std::string reason;  // a part of the error that it must get
};

void expect_refused(const std::filesystem::path& folder, std::string_view what,
                    std::string_view reason) {
  const auto begin = std::chrono::steady_clock::now();
  const auto opened = Checkpoint::open(folder);
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(opened) << what;
  const std::string& message = opened.error().message;
  EXPECT_NE(message.find(reason), std::string::npos) << what << ": " << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << what;
  EXPECT_LT(message.size(), 600u) << what;
  EXPECT_LT(took, std::chrono::seconds(2)) << what;
}

// {"a": {"dtype": "U8", "shape": SHAPE, "data_offsets": OFFSETS}} before 8 bytes of data.
std::string with(std::string_view shape, std::string_view offsets,
                 std::string_view dtype = "\"U8\"") {
  return safetensors(
      fmt::format(R"({{"a":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape, offsets),
      8);
}

std::string entry(std::string_view name, u64 begin, u64 end) {
  return fmt::format(R"("{}":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}})", name,
                     end - begin, begin, end);
}

std::vector<Hostile> lengths() {
  const u64 huge = u64(1) << 63;
  return {{"1234567", "it has 7 bytes"},
          {(Raw() << huge << "{}").bytes, "the header's length is 9223372036854775808"},
          {(Raw() << UINT64_MAX << "{}").bytes, "but only 2 bytes are left"},
          {(Raw() << u64(3) << "{}").bytes, "the header's length is 3, but only 2"},
          {(Raw() << u64(40'000'000)).data(40'000'000).bytes, "more than 33554432"},
          {(Raw() << u64(0)).bytes, "does not begin with {"},
          {(Raw() << u64(1) << "{}").bytes, "not valid JSON"},
          {safetensors(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8),
           "not inside the 8 bytes"}};
}

std::vector<Hostile> json() {
  const std::string deep = R"({"__metadata__":)";
  std::string objects = "{";
  for (u32 i = 0; i < 100'000; ++i) objects += "\"a\":{";
  return {{safetensors("[]", 8), "does not begin with {"},
          {safetensors(" {}", 8), "does not begin with {"},
          {safetensors("hello world", 8), "does not begin with {"},
          {safetensors("{hello}", 8), "not valid JSON"},
          {safetensors("{\"a\":", 8), "not valid JSON"},
          {safetensors("{}{}", 0), "not valid JSON"},
          {safetensors(std::string("{}\0\0", 4), 0), "not valid JSON"},
          {safetensors("{\"\xff\":{}}", 0), "not valid JSON"},
          {safetensors("{" + std::string(100'000, '['), 0), "not valid JSON"},
          {safetensors("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0),
           "an array where none may stand"},
          {safetensors(objects, 0), "unknown field 'a'"},
          {safetensors(deep + std::string(100'000, '['), 0), "an array where none may stand"},
          {safetensors(R"({"a":5})", 0), "a number where none may stand"},
          {safetensors(R"({"a":null})", 0), "null where none may stand"},
          {safetensors(R"({"a":true})", 0), "a bool where none may stand"},
          {safetensors(R"({"a":"b"})", 0), "a string where none may stand"},
          {safetensors(R"({"a":[]})", 0), "an array where none may stand"},
          {safetensors(R"({"a":{}})", 0), "not all there"},
          {safetensors(R"({"a":{"dtype":"U8","shape":[0]}})", 0), "not all there"},
          {safetensors(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})", 0), "not all there"},
          {safetensors(R"({"a":{"shape":[0],"data_offsets":[0,0]}})", 0), "not all there"},
          {safetensors(R"({"a":{"dtype":"U8","dtype":"U8"}})", 0), "'dtype' stands twice"},
          {safetensors(R"({"a":{"device":"cuda"}})", 0), "unknown field 'device'"},
          {safetensors(R"({"a":{"dtype":{"x":1}}})", 0), "an object where none may stand"},
          {safetensors(R"({"":{}})", 0), "no valid name"},
          {safetensors(R"({"a\nb":{}})", 0), "no valid name"},
          {safetensors("{\"" + std::string(2000, 'n') + "\":{}}", 0), "no valid name"},
          {safetensors(R"({"__metadata__":{"a":1}})", 0), "a number where none may stand"},
          {safetensors(R"({"__metadata__":{"a":{}}})", 0), "an object where none may stand"},
          {safetensors(R"({"__metadata__":{},"__metadata__":{}})", 0), "stands twice"},
          {safetensors(R"({"__metadata__":[]})", 0), "an array where none may stand"}};
}

std::vector<Hostile> values() {
  return {{with("[8]", "[0,8]", "\"F99\""), "dtype 'F99' is not supported"},
          {with("[8]", "[0,8]", "\"u8\""), "dtype 'u8' is not supported"},
          {with("[8]", "[0,8]", "\"\""), "dtype '' is not supported"},
          {with("[8]", "[0,8]", "3"), "a number where none may stand"},
          {with("[8]", "[8,0]"), "data_offsets 8 to 0"},
          {with("[8]", "[0,9]"), "data_offsets 0 to 9"},
          {with("[8]", "[-8,0]"), "a negative number"},
          {with("[8]", "[0.0,8.0]"), "no integer"},
          {with("[8]", "[0,8.5]"), "no integer"},
          {with("[8]", "[0,1e1]"), "no integer"},
          {with("[8]", "[0,18446744073709551616]"), "no integer or too large"},
          {with("[8]", "[0,18446744073709551615]"), "not inside the 8 bytes"},
          {with("[8]", "[9223372036854775808,9223372036854775816]"), "not inside the 8 bytes"},
          {with("[8]", "[0]"), "fewer than two"},
          {with("[8]", "[]"), "fewer than two"},
          {with("[8]", "[0,8,8]"), "more than two"},
          {with("[8]", "[[0,8]]"), "an array where none may stand"},
          {with("[8]", "[\"0\",\"8\"]"), "a string where none may stand"},
          {with("[8]", "8"), "a number where none may stand"},
          {with("[8]", "{}"), "an object where none may stand"},
          {with("[7]", "[0,8]"), "takes 7 bytes, but its data_offsets 8"},
          {with("[9]", "[0,8]"), "takes 9 bytes"},
          {with("[]", "[0,8]"), "takes 1 bytes"},
          {with("[0]", "[0,8]"), "takes 0 bytes"},
          {with("[2]", "[0,8]", "\"F64\""), "takes 16 bytes"},
          {with("[-8]", "[0,8]"), "a negative number"},
          {with("[8.0]", "[0,8]"), "no integer"},
          {with("[null]", "[0,8]"), "null where none may stand"},
          {with("[[8]]", "[0,8]"), "an array where none may stand"},
          {with("8", "[0,8]"), "a number where none may stand"},
          {with("\"8\"", "[0,8]"), "a string where none may stand"},
          {with("[9223372036854775808]", "[0,8]"), "takes 9223372036854775808 bytes"},
          {with("[9223372036854775808,2]", "[0,8]"), "overflows"},
          {with("[4294967296,4294967296]", "[0,8]"), "overflows"},
          {with("[9223372036854775808]", "[0,8]", "\"F32\""), "overflows"},
          {with("[18446744073709551616]", "[0,8]"), "too large"},
          {with("[1,1,1,1,1,1,1,1,8]", "[0,8]"), "more than 8 dimensions"}};
}

std::vector<Hostile> layouts() {
  const auto file = [](std::initializer_list<std::string> entries) {
    return safetensors(fmt::format("{{{}}}", fmt::join(entries, ",")), 8);
  };
  return {{file({entry("a", 0, 4)}), "the last 4 bytes of the file belong to no tensor"},
          {file({entry("a", 4, 8)}), "4 bytes before it belong to no tensor"},
          {file({entry("a", 0, 3), entry("b", 5, 8)}), "2 bytes before it"},
          {file({entry("a", 0, 5), entry("b", 4, 8)}), "tensor 'b': it overlaps"},
          {file({entry("a", 0, 8), entry("b", 0, 8)}), "it overlaps"},
          {file({entry("a", 0, 8), entry("b", 2, 3)}), "it overlaps"},
          {file({entry("a", 0, 8), entry("b", 3, 3)}), "it overlaps"},
          {file({entry("a", 0, 4), entry("a", 4, 8)}), "'a' stands twice"},
          {safetensors("{}", 8), "the last 8 bytes of the file belong to no tensor"}};
}

TEST(HostileSafetensors, EveryLieIsRefused) {
  u64 count = 0;
  for (const auto& table : {lengths(), json(), values(), layouts()})
    for (const Hostile& hostile : table) {
      TemporaryFolder folder;
      folder.write("config.json", "{}");
      folder.write("model.safetensors", hostile.bytes);
      expect_refused(folder.path(), hostile.bytes.substr(0, 80), hostile.reason);
      ++count;
    }
  EXPECT_GE(count, 80u);
}

TEST(HostileSafetensors, EveryTruncationIsRefused) {
  const std::string whole = safetensors("{" + entry("a", 0, 3) + "," + entry("b", 3, 8) + "}", 8);
  TemporaryFolder folder;
  folder.write("config.json", "{}");
  folder.write("model.safetensors", whole);
  ASSERT_TRUE(Checkpoint::open(folder.path()));
  for (u64 size = 0; size < whole.size(); ++size) {
    folder.write("model.safetensors", whole.substr(0, size));
    expect_refused(folder.path(), fmt::format("cut at {}", size), "model.safetensors");
  }
  folder.write("model.safetensors", whole + "x");
  expect_refused(folder.path(), "one byte more", "the last 1 bytes");
}

TEST(HostileSafetensors, EveryLyingIndexIsRefused) {
  const Hostile cases[] = {
      {"", "not valid JSON"},
      {"[]", "the root is no object"},
      {"{}", "no object 'weight_map'"},
      {R"({"weight_map": []})", "no object 'weight_map'"},
      {R"({"weight_map": {}})", "weight_map is empty"},
      {R"({"weight_map": {"a": 1}})", "the file of tensor 'a' is no string"},
      {R"({"weight_map": {"a": null}})", "the file of tensor 'a' is no string"},
      {R"({"weight_map": {"a": "shard", "a": "shard"}})", "the key 'a' stands twice"},
      {R"({"weight_map": {"a": "../shard"}})", "'../shard' is no plain name"},
      {R"({"weight_map": {"a": "/etc/passwd"}})", "no plain name"},
      {R"({"weight_map": {"a": "sub/shard"}})", "no plain name"},
      {R"({"weight_map": {"a": "..\\shard"}})", "no plain name"},
      {R"({"weight_map": {"a": ".."}})", "no plain name"},
      {R"({"weight_map": {"a": "."}})", "no plain name"},
      {R"({"weight_map": {"a": ""}})", "no plain name"},
      {R"({"weight_map": {"a": "shard\u0000"}})", "no plain name"},
      {R"({"weight_map": {"a": "absent"}})", "No such file"},
      {R"({"weight_map": {"a": "folder"}})", "not a regular file"},
      {R"({"weight_map": {"a": "shard", "b": "shard"}})", "tensor 'b' is not in it"},
      {R"({"weight_map": {"a": "shard", "b": "config.json"}})",
       "config.json: this is no safetensors"},
      {R"({"weight_map": {"a": "shard", "b": "same"}})", "tensor 'b' is not in it"},
      {R"({"weight_map": {"a": "same", "A": "shard"}})", "tensor 'A' is not in it"},
      {R"({"weight_map": {"a": "shard"}, "x": )" + std::string(100'000, '['),
       "nested more than 64 deep"}};
  const std::string shard = safetensors("{" + entry("a", 0, 8) + "}", 8);
  for (const Hostile& hostile : cases) {
    TemporaryFolder folder;
    folder.write("config.json", "{}");
    folder.write("shard", shard);
    folder.write("same", shard);
    std::filesystem::create_directory(folder.path() / "folder");
    folder.write("model.safetensors.index.json", hostile.bytes);
    expect_refused(folder.path(), hostile.bytes.substr(0, 80), hostile.reason);
  }
}

TEST(HostileSafetensors, ATensorInTwoShardsIsRefused) {
  TemporaryFolder folder;
  folder.write("config.json", "{}");
  folder.write("1", safetensors("{" + entry("a", 0, 4) + "," + entry("b", 4, 8) + "}", 8));
  folder.write("2", safetensors("{" + entry("a", 0, 8) + "}", 8));
  folder.write("model.safetensors.index.json", R"({"weight_map": {"b": "1", "a": "2"}})");
  expect_refused(folder.path(), "two shards", "'a' stands twice");
}

TEST(HostileSafetensors, ConfigsThatAreNoneAreRefused) {
  for (const auto& [config, reason] : {std::pair<std::string, std::string>{"", "not valid JSON"},
                                       {"[1]", "the root is no object"},
                                       {"{\"a\": 1, \"a\": 2}", "stands twice"},
                                       {std::string(17 << 20, ' '), "more than the 16777216"}}) {
    TemporaryFolder folder;
    folder.write("config.json", config);
    folder.write("model.safetensors", safetensors("{}", 0));
    expect_refused(folder.path(), config.substr(0, 20), reason);
  }
}

}  // namespace
}  // namespace orrery::checkpoint
