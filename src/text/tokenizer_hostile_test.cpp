// Tokenizer files that were made to hurt: each must end in one error line, soon and in little
// memory.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "text/tokenizer.h"

namespace orrery::text {
namespace {

using nlohmann::json;

struct Hostile {
  std::string name;
  std::function<Result<std::unique_ptr<Tokenizer>>()> open;
};

std::string repeated(std::string_view text, u64 times) {
  std::string out;
  out.reserve(text.size() * times);
  for (u64 i = 0; i < times; ++i) out += text;
  return out;
}

json valid() {
  return {{"model",
           {{"type", "BPE"},
            {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {"<unk>", 3}}},
            {"merges", {"a b"}}}},
          {"added_tokens", {{{"id", 4}, {"content", "[X]"}, {"special", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", nullptr}};
}

Hostile raw(const std::string& name, const std::string& text) {
  return {name, [text] { return Tokenizer::from_tokenizer_json(text); }};
}

// The valid file with the value at `pointer` replaced.
Hostile changed(const std::string& name, const char* pointer, const json& value) {
  json file = valid();
  file[json::json_pointer(pointer)] = value;
  return raw(name, file.dump());
}

json split_by(const std::string& regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

json nested(const char* list, u64 depth) {
  json part = {{"type", "NFC"}};
  for (u64 i = 0; i < depth; ++i) part = {{"type", "Sequence"}, {list, json::array({part})}};
  return part;
}

// Names whose hashes fall on one place would make a table slow; plain counters do not, so this only
// checks that a large vocabulary is no trouble.
json large_vocabulary(u64 count) {
  json vocab = json::object();
  for (u64 i = 0; i < count; ++i) vocab["t" + std::to_string(i)] = i;
  return vocab;
}

std::vector<Hostile> broken_json() {
  return {
      raw("empty", ""),
      raw("null", "null"),
      raw("a list", "[]"),
      raw("cut off", valid().dump().substr(0, 60)),
      raw("text after it", valid().dump() + "x"),
      raw("invalid UTF-8", "{\"model\": {\"vocab\": {\"\xff\xfe\": 0}, \"merges\": []}}"),
      raw("no model", "{}"),
      raw("deep arrays", repeated("[", 2'000'000)),
      raw("deep objects", repeated("{\"a\":", 1'000'000)),
      raw("deep normalizer", R"({"normalizer": )" + repeated("[", 100'000) + "}"),
      raw("a long string", "{\"model\": \"" + std::string(30 << 20, 'x') + "\"}"),
      raw("many numbers", "{\"x\": [" + repeated("1,", 10'000'000) + "1]}"),
      raw("duplicate name", R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})"),
      raw("unigram with an unknown out of range",
          R"({"model": {"type": "Unigram", "unk_id": 7, "vocab": [["a", -1]]}})"),
      raw("unigram with a score that is no number",
          R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", "x"]]}})"),
      raw("unigram of bare names", R"({"model": {"type": "Unigram", "vocab": ["a"]}})"),
  };
}

std::vector<Hostile> wrong_models() {
  const json token = {{"id", 4}, {"content", "[Y]"}};
  return {
      changed("id out of range", "/model/vocab/a", 4'000'000'000),
      changed("id far out of range", "/model/vocab/a", 1e300),
      changed("negative id", "/model/vocab/a", -1),
      changed("fractional id", "/model/vocab/a", 0.5),
      changed("id as text", "/model/vocab/a", "0"),
      changed("duplicate id", "/model/vocab/b", 0),
      changed("vocabulary of nothing", "/model/vocab", json::object()),
      changed("vocabulary is a number", "/model/vocab", 3),
      changed("vocabulary is text", "/model/vocab", "a"),
      changed("merge of nothing", "/model/merges", {"x y"}),
      changed("merge makes nothing", "/model/merges", {"b a"}),
      changed("merge of one", "/model/merges", {"ab"}),
      changed("merge of three", "/model/merges", {"a b a"}),
      changed("merge of three sides", "/model/merges", {{"a", "b", "a"}}),
      changed("merge of numbers", "/model/merges", {{0, 1}}),
      changed("merges are an object", "/model/merges", json::object()),
      changed("unknown model", "/model/type", "WordPiece"),
      changed("unknown model option", "/model/magic", true),
      changed("dropout", "/model/dropout", 0.1),
      changed("suffix", "/model/end_of_word_suffix", "</w>"),
      changed("unknown token is not there", "/model/unk_token", "<none>"),
      changed("added id out of range", "/added_tokens/0/id", u64(1) << 40),
      changed("added id taken", "/added_tokens/0/id", 1),
      changed("added id not the vocabulary's", "/added_tokens/0/content", "ab"),
      changed("added token twice", "/added_tokens/1", token),
      changed("a long added token", "/added_tokens/0/content", std::string(100'000, 'x')),
      changed("added flag is no flag", "/added_tokens/0/special", "yes"),
  };
}

std::vector<Hostile> wrong_parts() {
  return {
      changed("unknown normalizer", "/normalizer", {{"type", "Magic"}}),
      changed("normalizer without a type", "/normalizer", json::object()),
      changed("normalizer nested too deeply", "/normalizer", nested("normalizers", 1000)),
      changed("charsmap is no base64", "/normalizer",
              {{"type", "Precompiled"}, {"precompiled_charsmap", "§"}}),
      changed("charsmap is cut off", "/normalizer",
              {{"type", "Precompiled"}, {"precompiled_charsmap", "/////w=="}}),
      changed("pre-tokenizer nested too deeply", "/pre_tokenizer", nested("pretokenizers", 1000)),
      changed("regex bomb", "/pre_tokenizer", split_by("(a+)+$")),
      changed("another regex bomb", "/pre_tokenizer", split_by("(.*,){11}P(a|a?)+b")),
      changed("regex of nested repeats", "/pre_tokenizer",
              split_by("((((a{1,1000}){1,1000}){1,1000}))")),
      changed("regex is cut off", "/pre_tokenizer", split_by("([a-")),
      changed("a long regex", "/pre_tokenizer", split_by(repeated("(a|b)", 10'000))),
      changed("regex of many groups", "/pre_tokenizer", split_by(repeated("(", 2'000))),
      changed("ByteLevel in the middle", "/pre_tokenizer",
              {{"type", "Sequence"},
               {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Whitespace"}}}}}),
      changed("template without the text", "/post_processor",
              {{"type", "TemplateProcessing"}, {"single", json::array()}}),
      changed("template of an id out of range", "/post_processor",
              {{"type", "TemplateProcessing"},
               {"single", {{{"SpecialToken", {{"id", "x"}}}}, {{"Sequence", {{"id", "A"}}}}}},
               {"special_tokens", {{"x", {{"ids", {1'000'000}}}}}}}),
      changed("unknown decoder", "/decoder", {{"type", "CTC"}}),
      changed("decoder in a strange order", "/decoder",
              {{"type", "Sequence"}, {"decoders", {{{"type", "Fuse"}}, {{"type", "ByteLevel"}}}}}),
      changed("too many ids", "/model/vocab",
              large_vocabulary(100'000).patch(
                  json::parse(R"([{"op": "add", "path": "/far", "value": 5000000}])"))),
  };
}

// Fields of a protocol buffer message, by hand: number, then the bytes.
std::string field(u32 number, const std::string& bytes) {
  std::string out(1, char(number << 3 | 2));
  for (u64 n = bytes.size();; n >>= 7) {
    out += char(n < 0x80 ? n : (n & 0x7F) | 0x80);
    if (n < 0x80) break;
  }
  return out + bytes;
}

std::string piece(const std::string& name, f32 score, char type) {
  std::string number(4, '\0');
  std::memcpy(number.data(), &score, 4);
  return field(1, field(1, name) + "\x15" + number + "\x18" + type);
}

std::vector<Hostile> hostile_sentencepiece() {
  const auto of = [](const std::string& name, const std::string& bytes) {
    return Hostile{"sentencepiece: " + name,
                   [bytes] { return Tokenizer::from_sentencepiece(bytes); }};
  };
  const std::string unknown = piece("<unk>", 0, 2), a = piece("a", -1, 1);
  const std::string bpe = field(2, "\x18\x02");  // trainer_spec.model_type
  const std::string map = field(2, std::string("\xff\xff\xff\x7f", 4) + "abcd");
  return {
      of("empty", ""),
      of("no pieces", bpe),
      of("cut off", unknown.substr(0, 5)),
      of("a length beyond the end", "\x0a\xff\xff\xff\xff\x0f"),
      of("a number without an end", std::string(20, '\xff')),
      of("no unknown piece", a + bpe),
      of("two unknown pieces", unknown + piece("<unk2>", 0, 2) + bpe),
      of("the same piece twice", unknown + a + a + bpe),
      of("an empty piece", unknown + piece("", 0, 1)),
      of("an unknown type", unknown + piece("b", 0, 77)),
      of("a score that is no number", unknown + piece("b", std::nanf(""), 1)),
      of("an infinite score", unknown + piece("b", HUGE_VALF, 1)),
      of("one byte piece of 256", unknown + piece("<0x00>", 0, 6) + field(2, "\x98\x02\x01")),
      of("malformed byte pieces", unknown + piece("<0xZZ>", 0, 6) + bpe),
      of("an unknown model", unknown + a + field(2, "\x18\x04")),
      of("a charsmap that is cut off", unknown + a + field(3, map)),
      of("a long piece", unknown + piece(std::string(5'000'000, 'x'), -1, 1) + bpe),
      of("many pieces", repeated(unknown, 5'000'000)),
  };
}

std::vector<Hostile> hostile_tekken() {
  const auto of = [](const std::string& name, const json& file) {
    const std::string text = file.dump();
    return Hostile{"tekken: " + name, [text] { return Tokenizer::from_tekken(text); }};
  };
  const auto config = [](const std::string& pattern, i64 size, i64 special) {
    return json{{"pattern", pattern},
                {"default_vocab_size", size},
                {"default_num_special_tokens", special},
                {"version", "v3"}};
  };
  const json one = {{{"rank", 0}, {"token_bytes", "YQ=="}, {"token_str", "a"}}};
  const auto special = [](u64 rank) { return json{{{"rank", rank}, {"token_str", "<s>"}}}; };
  return {
      of("nothing", json::object()),
      of("no vocabulary", {{"config", config("a", 30, 20)}}),
      of("fewer tokens than it says", {{"config", config("a", 30, 20)}, {"vocab", one}}),
      of("a huge size", {{"config", config("a", i64(1) << 60, 20)}, {"vocab", one}}),
      of("a negative size", {{"config", config("a", -1, 20)}, {"vocab", one}}),
      of("only special tokens", {{"config", config("a", 20, 20)}, {"vocab", one}}),
      of("too few special tokens for its list", {{"config", config("a", 2, 1)}, {"vocab", one}}),
      of("a rank out of order",
         {{"config", config("a", 21, 20)}, {"vocab", {{{"rank", 5}, {"token_bytes", "YQ=="}}}}}),
      of("bytes that are no base64",
         {{"config", config("a", 21, 20)}, {"vocab", {{{"rank", 0}, {"token_bytes", "=="}}}}}),
      of("the same token twice", {{"config", config("a", 22, 20)},
                                  {"vocab", {one[0], {{"rank", 1}, {"token_bytes", "YQ=="}}}}}),
      of("a special token out of order",
         {{"config", config("a", 21, 20)}, {"vocab", one}, {"special_tokens", special(3)}}),
      of("a regex bomb", {{"config", config("(a+)+$", 21, 20)}, {"vocab", one}}),
      of("no pattern", {{"config", config("", 21, 20)}, {"vocab", one}}),
  };
}

std::vector<Hostile> hostile_gguf() {
  static const std::vector<std::string> tokens{"a", "b", "ab", "<s>"};
  static const std::vector<std::string> merges{"a b"}, bad_merges{"a", "b c"};
  static const std::vector<i64> types{1, 1, 1, 3}, bad_types{1, 1, 1, 99}, few_types{1};
  static const std::vector<f64> scores{0, 0, 0, 0}, bad_scores{0, 0, HUGE_VAL, 0}, few_scores{0};
  using Metadata = Tokenizer::GgufMetadata;
  const auto of = [](const std::string& name, std::function<void(Metadata&)> change) {
    return Hostile{"gguf: " + name, [change] {
                     Metadata m;
                     m.model = "gpt2", m.pre = "smollm";
                     m.tokens = tokens, m.merges = merges, m.token_types = types;
                     change(m);
                     return Tokenizer::from_gguf(m);
                   }};
  };
  const auto llama = [](Metadata& m) { m.model = "llama", m.scores = scores; };
  return {
      of("unknown model", [](Metadata& m) { m.model = "magic"; }),
      of("unknown pre-tokenizer", [](Metadata& m) { m.pre = ""; }),
      of("no tokens", [](Metadata& m) { m.tokens = {}; }),
      of("fewer types than tokens", [](Metadata& m) { m.token_types = few_types; }),
      of("unknown type", [](Metadata& m) { m.token_types = bad_types; }),
      of("merge of nothing", [](Metadata& m) { m.merges = bad_merges; }),
      of("first token out of range", [](Metadata& m) { m.bos = 4; }),
      of("last token negative", [](Metadata& m) { m.eos = -1; }),
      of("asks for a first token", [](Metadata& m) { m.add_bos = true; }),
      of("no scores", [](Metadata& m) { m.model = "llama"; }),
      of("fewer scores than tokens", [=](Metadata& m) { llama(m), m.scores = few_scores; }),
      of("a score that is no number", [=](Metadata& m) { llama(m), m.scores = bad_scores; }),
      of("unknown token out of range", [=](Metadata& m) { llama(m), m.unknown = 1 << 30; }),
  };
}

u64 memory_mib_max() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) / 1024;
  }
  return 0;
}

TEST(HostileTokenizers, EndInOneErrorLine) {
  std::vector<Hostile> all;
  for (const auto& list : {broken_json(), wrong_models(), wrong_parts(), hostile_sentencepiece(),
                           hostile_tekken(), hostile_gguf()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  EXPECT_GE(all.size(), 100u);
  for (const Hostile& hostile : all) {
    const std::clock_t start = std::clock();
    const auto tokenizer = hostile.open();
    EXPECT_LT(f64(std::clock() - start) / CLOCKS_PER_SEC, 10) << hostile.name;
    ASSERT_FALSE(tokenizer) << hostile.name;
    const std::string& message = tokenizer.error().message;
    EXPECT_FALSE(message.empty()) << hostile.name;
    EXPECT_EQ(message.find('\n'), std::string::npos) << hostile.name << ": " << message;
    EXPECT_LT(message.size(), 400u) << hostile.name;
  }
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LE(memory_mib_max(), 512u);
#endif
}

TEST(HostileTokenizers, TheUnchangedFilesOpen) {
  const auto json_file = Tokenizer::from_tokenizer_json(valid().dump());
  EXPECT_TRUE(json_file) << json_file.error().message;
  const auto model = Tokenizer::from_sentencepiece(piece("<unk>", 0, 2) + piece("a", -1, 1) +
                                                   field(2, "\x18\x02"));
  EXPECT_TRUE(model) << model.error().message;
}

}  // namespace
}  // namespace orrery::text
