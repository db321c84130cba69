// Every hand-written splitter against its own pattern in PCRE2, over random texts.
#include "text/splitter.h"

#include <gtest/gtest.h>

#include <random>

#include "text/patterns.h"
#include "text/unicode.h"

namespace orrery::text {
namespace {

const std::string_view kPatterns[] = {
    kGpt2Pattern,
    kLlama3Pattern,
    kQwen2Pattern,
    kQwen35Pattern,
    kO200kPattern,
    kTekkenPattern,
    kDeepSeek3Pattern,
    kDigitPattern,
    kDigitsPattern,
    kThreeDigitsPattern,
    kDeepSeek3EscapedPattern,
    kChineseJapanesePattern,
};

// Characters that the patterns treat differently, and some that they do not.
std::string random_text(std::mt19937& random) {
  static const std::string_view kPieces[] = {
      "a",      "B",      "é",      "Ω",  "中", "ǅ",  "ʰ",  "\u0301", "\u0903",
      "1",      "٣",      "½",      " ",  " ",  "\t", "\n", "\r",     "\u00a0",
      "\u3000", "\u180e", "\u200b", "'",  "s",  "S",  "ſ",  "ll",     "LL",
      "re",     "-",      "/",      "(",  "$",  "+",  "。", "\u0001", "\U0001F600",
      "\u0378", "か",     "゙",       "ー", "龥", "龦", "😀", "T",      "d"};
  std::string text;
  for (u64 n = random() % 24; n > 0; --n) text += kPieces[random() % std::size(kPieces)];
  return text;
}

TEST(Splitter, KnownPatternsMatchAsTheirRegularExpression) {
  std::mt19937 random(7);
  for (const std::string_view pattern : kPatterns) {
    const auto known = known_splitter(pattern);
    ASSERT_TRUE(known) << pattern;
    const auto regex = regex_splitter(pattern);
    ASSERT_TRUE(regex) << regex.error().message;
    for (int i = 0; i < 20000; ++i) {
      const std::string text = random_text(random);
      Match ours, theirs;
      for (u64 from = 0; from < text.size(); from = ours.end) {
        const bool found = known->find(text, from, ours);
        ASSERT_EQ(found, (*regex)->find(text, from, theirs)) << pattern << "\n" << text;
        if (!found) break;
        ASSERT_EQ(ours.begin, theirs.begin) << pattern << "\n" << text;
        ASSERT_EQ(ours.end, theirs.end) << pattern << "\n" << text;
      }
    }
  }
}

TEST(Splitter, InvalidBytesAreCharactersOfNoClass) {
  const auto splitter = known_splitter(kGpt2Pattern);
  Match match;
  ASSERT_TRUE(splitter->find("\xff\xc3z", 0, match));
  EXPECT_EQ(match.end, 2u);
}

TEST(Splitter, PatternsThatCannotBeUsedAreErrors) {
  EXPECT_FALSE(make_splitter("(a"));
  EXPECT_FALSE(make_splitter("(a+)+$"));  // runs away
  EXPECT_FALSE(make_splitter("[a&&b]"));  // would mean something else
  EXPECT_FALSE(make_splitter("(?:(?:a*)*)*b"));
  EXPECT_FALSE(make_splitter(std::string(5000, 'a')));
  EXPECT_FALSE(make_splitter("\\"));
  EXPECT_FALSE(make_splitter("\\p{"));
}

TEST(Unicode, LossyReplacesMaximalSubparts) {
  const auto lossy = [](std::string_view text) {
    std::string out;
    append_lossy(out, text);
    return out;
  };
  EXPECT_EQ(lossy("a\xF0\x9F\x98z"), "a\uFFFDz");          // the start of an emoji is one part
  EXPECT_EQ(lossy("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");  // overlong: no part of a character
  EXPECT_EQ(lossy("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(lossy("é"), "é");
  EXPECT_EQ(incomplete_suffix("a\xF0\x9F"), 2u);
  EXPECT_EQ(incomplete_suffix("a\xF0\x80"), 0u);
  EXPECT_EQ(incomplete_suffix("é"), 0u);
}

}  // namespace
}  // namespace orrery::text
