// Tests of Config and of the JSON under it: types, dots, marks of what was read, limits.
#include "checkpoint/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

Config parse(std::string_view json) {
  Result<Config> config = parse_config(json);
  EXPECT_TRUE(config) << config.error().message;
  return config ? std::move(*config) : Config();
}

TEST(Config, GivesEachTypeAndRefusesAnother) {
  const Config config = parse(R"({"layers": 30, "eps": 1e-5, "tied": true, "act": "silu",
      "eos": [1, 2], "mixed": [1, 2.5], "names": ["a", "b"], "none": null, "empty": []})");
  EXPECT_EQ(*config.get_integer("layers"), 30);
  EXPECT_EQ(*config.get_number("eps"), 1e-5);
  EXPECT_EQ(*config.get_number("layers"), 30.0);
  EXPECT_EQ(*config.get_bool("tied"), true);
  EXPECT_EQ(*config.get_string("act"), "silu");
  EXPECT_EQ(*config.get_integers("eos"), (Integers{1, 2}));
  EXPECT_EQ(*config.get_numbers("eos"), (Floats{1, 2}));
  EXPECT_EQ(*config.get_numbers("mixed"), (Floats{1, 2.5}));
  EXPECT_EQ(**config.get_strings("names"), (Strings{"a", "b"}));
  EXPECT_EQ(*config.get_integer("none"), std::nullopt);
  EXPECT_EQ(*config.get_integer("absent"), std::nullopt);
  EXPECT_EQ(*config.get_strings("absent"), nullptr);
  EXPECT_TRUE((*config.get_strings("empty"))->empty());
  EXPECT_TRUE((*config.get_integers("empty"))->empty());

  EXPECT_FALSE(config.get_integer("eps"));
  EXPECT_FALSE(config.get_integers("mixed"));
  EXPECT_FALSE(config.get_bool("layers"));
  EXPECT_FALSE(config.get_string("tied"));
  EXPECT_FALSE(config.get_number("tied"));
  EXPECT_EQ(config.get_number("act").error().message, "config key 'act' is a string, not a number");
}

TEST(Config, RequiredKeysMustBeThereAndInRange) {
  const Config config = parse(R"({"heads": 9, "negative": -1, "huge": 4294967296, "none": null})");
  EXPECT_EQ(*config.require_u32("heads", 1, 9), 9u);
  EXPECT_FALSE(config.require_u32("heads", 10, 20));
  EXPECT_FALSE(config.require_u32("negative", 0, UINT32_MAX));
  EXPECT_FALSE(config.require_u32("huge", 0, UINT32_MAX));
  EXPECT_EQ(config.require_u32("none", 0, 1).error().message, "config key 'none' is missing");
  EXPECT_FALSE(config.require_string("absent"));
  EXPECT_FALSE(config.require_number("absent"));
  EXPECT_EQ(*config.u32_or("absent", 7, 1, 2), 7u);
  EXPECT_EQ(*config.u32_or("heads", 7, 1, 9), 9u);
  EXPECT_EQ(*config.number_or("absent", 0.5), 0.5);
  EXPECT_EQ(*config.bool_or("absent", true), true);
}

TEST(Config, DotsDescendOnlyWhereTheWholeNameIsNoKey) {
  const Config config = parse(R"({"rope": {"type": "yarn", "a": {"b": 1}}, "a.b": 2, "a": {"b": 3},
                                  "x.y": {"z": 4}})");
  EXPECT_EQ(*config.get_string("rope.type"), "yarn");
  EXPECT_EQ(*config.get_integer("rope.a.b"), 1);
  EXPECT_EQ(*config.get_integer("a.b"), 2);
  EXPECT_EQ(*config.get_integer("x.y.z"), 4);
  EXPECT_EQ(config.find("rope.type.more"), nullptr);
  EXPECT_EQ(config.find("."), nullptr);
  EXPECT_EQ(config.find(""), nullptr);
}

TEST(Config, ListsWhatNobodyRead) {
  const Config config =
      parse(R"({"b": 1, "a": {"x": 1, "y": {"z": 2}, "w": {}}, "c": null, "d": 0})");
  EXPECT_EQ(config.unread(), (std::vector<std::string>{"a.w", "a.x", "a.y.z", "b", "d"}));
  EXPECT_TRUE(config.has("b"));  // asking whether a key is there reads nothing
  EXPECT_FALSE(config.has("c"));
  (void)config.get_integer("a.x");
  (void)config.find("a.y");
  (void)config.get_bool("d");  // a wrong type, but somebody asked
  EXPECT_EQ(config.unread(), (std::vector<std::string>{"a.w", "b"}));
}

TEST(Config, NumbersKeepTheirLimits) {
  EXPECT_EQ(*parse(R"({"x": 9223372036854775807})").get_integer("x"), INT64_MAX);
  EXPECT_EQ(*parse(R"({"x": -9223372036854775808})").get_integer("x"), INT64_MIN);
  // Tokenizers say model_max_length: 1000000000000000019884624838656 for "no limit".
  for (const std::string large :
       {"9223372036854775808", "-9223372036854775809", "1000000000000000019884624838656"}) {
    const auto config = parse("{\"x\": " + large + "}");
    EXPECT_FALSE(config.get_integer("x")) << large;
    EXPECT_EQ(*config.get_number("x"), std::stod(large));
  }
  const std::string numbers[] = {"1e999", "NaN", "Infinity", "-Infinity",
                                 "1" + std::string(400, '0')};
  for (const std::string& number : numbers)
    EXPECT_FALSE(parse_config("{\"x\": " + number + "}")) << number;
  Object object;
  object["x"] = Value{f64(NAN)};
  object["xs"] = Value{Floats{1, INFINITY}};
  const Config config(std::move(object));
  EXPECT_FALSE(config.get_number("x"));
  EXPECT_FALSE(config.get_numbers("xs"));
}

TEST(Config, RefusesHostileJson) {
  const std::string deep_object = [] {
    std::string text;
    for (u32 i = 0; i < 100'000; ++i) text += "{\"a\":";
    return text;
  }();
  std::string many = "{\"a\": [";
  for (u32 i = 0; i < 600'000; ++i) many += "0,";
  const std::string hostile[] = {
      "",
      " ",
      "[]",
      "1",
      "null",
      "\"a\"",
      "{",
      "}",
      "{\"a\"}",
      "{\"a\": }",
      "{\"a\": 1,}",
      "{} x",
      "{\"a\": 1, \"a\": 2}",
      "{\"a\": {\"b\": 1, \"b\": 1}}",
      "{a: 1}",
      "{\"a\": 'b'}",
      "{\"a\": \"\xff\"}",
      "{\"a\": \"\\ud800\"}",
      "{\"a\": tru}",
      "{\"a\": 01}",
      "{\"a\": \"x",
      "{\"a\": \"\n\"}",
      std::string("{\"a\": 1\0}", 9),
      deep_object,
      "{\"a\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}",
      many + "0]}"};
  for (const std::string& json : hostile) {
    const Result<Config> config = parse_config(json);
    ASSERT_FALSE(config) << json.substr(0, 40);
    EXPECT_LT(config.error().message.size(), 300u);
    EXPECT_EQ(config.error().message.find('\n'), std::string::npos);
  }
}

TEST(Config, SixtyFourDeepIsAllowedAndOneMoreIsNot) {
  const auto nested = [](u32 depth) {
    return "{\"a\": " + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(parse_config(nested(64)));
  EXPECT_FALSE(parse_config(nested(65)));
}

TEST(Names, AreShownInOneLine) {
  EXPECT_EQ(shown("blk.0.attn_q.weight"), "'blk.0.attn_q.weight'");
  EXPECT_EQ(shown("a\nb\x1b[0m\xff"), "'a\\x0ab\\x1b[0m\\xff'");
  EXPECT_EQ(shown(std::string(81, 'a')), "'" + std::string(80, 'a') + "...'");
}

TEST(Names, AreUtf8WithoutControlCharacters) {
  for (const char* name :
       {"a", "blk.0", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\xaa\x90", "\xed\x9f\xbf"})
    EXPECT_TRUE(is_valid_name(name, 64)) << name;
  for (const char* name :
       {"", "a\n", "\x7f", "\x80", "\xc0\xaf", "\xc3", "\xe0\x80\xaf", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xff"})
    EXPECT_FALSE(is_valid_name(name, 64)) << name;
  EXPECT_FALSE(is_valid_name("abc", 2));
  EXPECT_FALSE(is_valid_name(std::string_view("a\0b", 3), 64));
}

TEST(Names, OfFilesStayInTheirFolder) {
  EXPECT_TRUE(is_plain_file_name("model-00001-of-00002.safetensors"));
  EXPECT_TRUE(is_plain_file_name("..."));
  for (const char* name : {"", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a/", "x\n"})
    EXPECT_FALSE(is_plain_file_name(name)) << name;
  EXPECT_FALSE(is_plain_file_name(std::string(256, 'a')));
}

}  // namespace
}  // namespace orrery::checkpoint
