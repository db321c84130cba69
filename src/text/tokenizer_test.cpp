// The pipeline on small tokenizers made here; the real ones are compared in
// tokenizer_golden_test.cpp.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <random>

#include "text/byte_alphabet.h"
#include "text/detokenizer.h"

namespace orrery::text {
namespace {

// Byte-level BPE of all bytes and the merges that are given, with an added control token.
nlohmann::json byte_level_json(const std::vector<std::pair<std::string, std::string>>& merges) {
  nlohmann::json vocab;
  for (u32 byte = 0; byte < 256; ++byte) {
    std::string name;
    append_utf8(name, kCharacterOfByte[byte]);
    vocab[name] = byte;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [left, right] : merges) {
    if (!vocab.contains(left + right)) vocab[left + right] = vocab.size();
    list.push_back(left + " " + right);
  }
  const u64 end = vocab.size();
  return {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", list}}},
          {"added_tokens",
           {{{"id", end}, {"content", "<|end|>"}, {"special", true}, {"normalized", false}},
            {{"id", end + 1}, {"content", "<strip>"}, {"lstrip", true}, {"rstrip", true}},
            {{"id", end + 2}, {"content", "word"}, {"single_word", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}}};
}

std::unique_ptr<Tokenizer> made(const nlohmann::json& json) {
  auto tokenizer = Tokenizer::from_tokenizer_json(json.dump());
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return std::move(*tokenizer);
}

TEST(Tokenizer, MergesInOrderOfRankLeftmostFirst) {
  const auto t = made(byte_level_json({{"b", "c"}, {"a", "b"}, {"a", "a"}, {"aa", "aa"}}));
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(t->encode("abc", Special::kParse, false), (Ids{'a', 256}));
  EXPECT_EQ(t->encode("aaaaa", Special::kParse, false), (Ids{259, 'a'}));
  EXPECT_EQ(t->encode("aaa", Special::kParse, false), (Ids{258, 'a'}));
}

TEST(Tokenizer, AddedTokensAreFoundUnlessTheTextIsAUsers) {
  const auto t = made(byte_level_json({}));
  const TokenId end = *t->find("<|end|>");
  EXPECT_TRUE(t->is_special(end));
  EXPECT_EQ(t->encode("<|end|>", Special::kParse, false), std::vector<TokenId>{end});
  EXPECT_EQ(t->encode("<|end|>", Special::kText, false).size(), 7u);
  const TokenId strip = *t->find("<strip>");
  EXPECT_EQ(t->encode(" \t<strip>\u3000\n", Special::kParse, false), std::vector<TokenId>{strip});
  const TokenId word = *t->find("word");
  EXPECT_EQ(t->encode("word", Special::kParse, false), std::vector<TokenId>{word});
  EXPECT_EQ(t->encode("words", Special::kParse, false).size(), 5u);
  EXPECT_EQ(t->decode(std::vector<TokenId>{end, 'a'}, true), "<|end|>a");
  EXPECT_EQ(t->decode(std::vector<TokenId>{end, 'a'}, false), "a");
}

TEST(Tokenizer, AnyBytesComeBack) {
  const auto t = made(byte_level_json({{"Ġ", "t"}, {"Ġt", "h"}, {"h", "e"}}));
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes;
    for (u64 n = random() % 60; n > 0; --n) bytes += char(random());
    std::string back;
    for (const TokenId id : t->encode(bytes, Special::kText, false)) back += t->token_bytes(id);
    ASSERT_EQ(back, bytes);
  }
}

TEST(Tokenizer, LongWordsMergeAsShortOnesDo) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const char* pair : {"ab", "ba", "aa", "bb"}) merges.push_back({{pair[0]}, {pair[1]}});
  for (const char* left : {"ab", "aa", "bb"}) merges.push_back({left, "ab"});
  const auto t = made(byte_level_json(merges));
  // A word of more than 48 letters takes the heap; cut where no merge can cross (a digit), the same
  // letters take the array.
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    std::string word;
    for (int n = 0; n < 40; ++n) word += random() % 2 ? 'a' : 'b';
    std::vector<TokenId> three;
    const auto one = t->encode(word, Special::kParse, false);
    for (int n = 0; n < 3; ++n)
      three.insert(three.end(), one.begin(), one.end()), three.push_back('_');
    EXPECT_EQ(t->encode(word + "_" + word + "_" + word + "_", Special::kParse, false), three);
    std::string joined = word + word;
    auto all = t->encode(joined, Special::kParse, false);
    std::string back;
    for (const TokenId id : all) back += t->token_bytes(id);
    EXPECT_EQ(back, joined);
  }
}

TEST(Tokenizer, AMegabyteOfOneLetterTakesLessThanASecond) {
  const auto t = made(byte_level_json({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}}));
  const std::string text(1 << 20, 'a');
  const std::clock_t start = std::clock();  // of this process: a busy machine does not matter
  EXPECT_EQ(t->encode(text, Special::kParse, false).size(), text.size() / 8);
  EXPECT_LT(f64(std::clock() - start) / CLOCKS_PER_SEC, 1.0);
}

TEST(Detokenizer, PiecesAreWholeCharactersAndMakeTheText) {
  const auto t = made(byte_level_json({{"Ã", "©"}}));
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    std::vector<TokenId> ids;
    for (u64 n = random() % 30; n > 0; --n)
      ids.push_back(TokenId(random() % (t->vocab_size() + 3)));
    Detokenizer stream(*t, true);
    std::string text;
    for (const TokenId id : ids) {
      const std::string piece = stream.push(id);
      ASSERT_TRUE(is_valid_utf8(piece));
      text += piece;
    }
    text += stream.finish();
    ASSERT_EQ(text, t->decode(ids, true));
  }
  Detokenizer stream(*t);
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push(0x9F), "");
  EXPECT_EQ(stream.push(0x98), "");
  EXPECT_EQ(stream.push(0x80), "😀");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

TEST(Tokenizer, GgufMetadataIsChecked) {
  const std::vector<std::string> tokens{"a", "b", "ab"}, merges{"a b"}, bad_merges{"a c"};
  Tokenizer::GgufMetadata m;
  m.model = "gpt2";
  m.pre = "smollm";
  m.tokens = tokens;
  m.merges = merges;
  EXPECT_TRUE(Tokenizer::from_gguf(m));
  m.pre = "guess";
  EXPECT_FALSE(Tokenizer::from_gguf(m));
  m.pre = "smollm";
  m.merges = bad_merges;
  EXPECT_FALSE(Tokenizer::from_gguf(m));
  m.merges = merges;
  m.bos = 3;
  EXPECT_FALSE(Tokenizer::from_gguf(m));
  m.bos = 0;
  m.add_bos = true;
  const auto t = Tokenizer::from_gguf(m);
  ASSERT_TRUE(t);
  EXPECT_EQ((*t)->encode("ab", Special::kParse, true), (std::vector<TokenId>{0, 2}));
}

// Found by ./dev fuzz tokenizer: the place before the final consonants is none of them.
TEST(NormalForms, KeepTheCharacterBeforeHangulsFinals) {
  nlohmann::json json = byte_level_json({});
  json["normalizer"] = {{"type", "NFC"}};
  const auto t = made(json);
  const auto normalized = [&](std::string_view text) {
    return t->decode(t->encode(text, Special::kText, false), true);
  };
  EXPECT_EQ(normalized("\u1109\u1169\u11a7"), "\uc18c\u11a7");
  EXPECT_EQ(normalized("\u1109\u1169\u11a8"), "\uc18d");
  EXPECT_EQ(normalized("\uc18c\u11a7\u0301"), "\uc18c\u11a7\u0301");
}

}  // namespace
}  // namespace orrery::text
