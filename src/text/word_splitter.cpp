// The known pre-tokenizer patterns, matched by hand.
//
// They are all of one shape: an English contraction, a word, a number, a run of other characters,
// white space. A WordShape says how a pattern differs from its siblings, and one matcher, compiled
// once a shape, tries the alternatives in the pattern's order. Every match is found without
// backtracking over more than the run at hand, so a text is split in linear time.
#include <array>

#include "text/patterns.h"
#include "text/splitter.h"
#include "text/unicode.h"
#include "text/unicode_library.h"

namespace orrery::text {

namespace {

enum class Contraction : u8 { kNone, kLowerCase, kAnyCase, kSuffix };

struct WordShape {
  Contraction contraction;   // a match of its own, or a suffix of the word before
  ClassBits letters;         // what words are made of
  ClassBits no_prefix;       // classes that the optional character before a word must not have;
                             // 0: only a space is taken
  bool cased = false;        // a word is upper-case letters, then lower-case ones (o200k)
  u32 digits_max;            // 0: any number, after an optional space; kNoDigits: no alternative
  ClassBits others;          // what a run of others must be of; 0: anything that is in none of...
  ClassBits not_others;      // ...these classes
  bool ascii_words = false;  // punctuation that sticks to ASCII letters (DeepSeek)
  bool newlines_after = false;  // a run of others takes the line ends after it
  bool slashes_after = false;   // and slashes
  bool newline_runs = false;    // \s*[\r\n]+
};

constexpr u32 kNoDigits = ~u32(0);

// Where a scan stands: the character at `p` with its class; past the end it has no class.
struct Cursor {
  const char* p;
  const char* end;
  u32 code = kNoCode;
  u32 bytes = 0;
  ClassBits bits = 0;

  Cursor(const char* at, const char* stop) : p(at), end(stop) { read(); }
  [[nodiscard]] bool done() const { return p == end; }
  [[nodiscard]] bool is(ClassBits classes) const { return (bits & classes) != 0; }
  void next() {
    p += bytes;
    read();
  }
  void skip(ClassBits classes) {
    while (is(classes)) next();
  }

 private:
  void read() {
    if (p == end) {
      code = kNoCode, bytes = 0, bits = 0;
      return;
    }
    const Character c = decode_utf8(p, end);
    code = c.code, bytes = c.bytes, bits = class_bits(c.code);
  }
};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }

// 's 't 're 've 'm 'll 'd at p: the bytes it takes, 0 when there is none. The long s (U+017F) is an
// s when case is ignored.
template <bool any_case>
u32 contraction_bytes(const char* p, const char* end) {
  const auto at = [&](i64 i) { return p + i < end ? (any_case ? lower(p[i]) : p[i]) : '\0'; };
  if (at(0) != '\'') return 0;
  switch (at(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return at(2) == 'e' ? 3 : 0;
    case 'l':
      return at(2) == 'l' ? 3 : 0;
    case '\xC5':
      return any_case && at(2) == '\xBF' ? 3 : 0;
    default:
      return 0;
  }
}

template <WordShape shape>
bool is_other(const Cursor& c) {
  if (c.done()) return false;
  return shape.others ? c.is(shape.others) : !c.is(shape.not_others);
}

template <WordShape shape>
const char* end_of_others(Cursor c) {
  while (is_other<shape>(c)) c.next();
  if constexpr (shape.newlines_after) {
    while (c.is(kNewline) || (shape.slashes_after && c.code == '/')) c.next();
  }
  return c.p;
}

// White space at `c`: \s*[\r\n]+ | \s+(?!\S) | \s+
template <WordShape shape>
const char* end_of_space(Cursor c) {
  const char* last = c.p;               // where the last character of the run begins
  const char* after_newline = nullptr;  // just after the last line end in the run
  const char* const begin = c.p;
  while (c.is(kSpace)) {
    last = c.p;
    const bool newline = c.is(kNewline);
    c.next();
    if (newline) after_newline = c.p;
  }
  if (shape.newline_runs && after_newline) return after_newline;
  if (c.done() || last == begin) return c.p;
  return last;  // leaves one for the word that follows
}

// [upper]*[lower]+ at `c`, or null. What is both (other letters, marks) may have been taken as
// upper: then the match ends after the last such character of the run.
inline const char* end_of_lower_word(Cursor c) {
  const char* after_both = nullptr;
  while (c.is(kUpperLike)) {
    const bool both = c.is(kLowerLike);
    c.next();
    if (both) after_both = c.p;
  }
  if (!c.is(kLowerLike)) return after_both;
  c.skip(kLowerLike);
  return c.p;
}

// [upper]+[lower]* at `c`, or null.
inline const char* end_of_upper_word(Cursor c) {
  if (!c.is(kUpperLike)) return nullptr;
  c.skip(kUpperLike);
  c.skip(kLowerLike);
  return c.p;
}

template <WordShape shape>
bool may_be_prefix(const Cursor& c) {
  if (c.done()) return false;
  if constexpr (shape.no_prefix == 0) return c.code == ' ';
  return !c.is(shape.no_prefix);
}

// A word with its optional prefix, or null.
template <WordShape shape>
const char* end_of_word(const Cursor& c) {
  Cursor after = c;
  after.next();
  const bool prefix = may_be_prefix<shape>(c);
  if constexpr (!shape.cased) {
    if (c.is(shape.letters)) {
      after.skip(shape.letters);
      return after.p;
    }
    if (!prefix || !after.is(shape.letters)) return nullptr;
    after.skip(shape.letters);
    return after.p;
  }
  const char* end = prefix ? end_of_lower_word(after) : nullptr;
  if (!end) end = end_of_lower_word(c);
  if (!end && prefix) end = end_of_upper_word(after);
  if (!end) end = end_of_upper_word(c);
  if (!end) return nullptr;
  if constexpr (shape.contraction == Contraction::kSuffix) {
    end += contraction_bytes<true>(end, c.end);
  }
  return end;
}

template <WordShape shape>
const char* end_of_number(const Cursor& c) {
  if constexpr (shape.digits_max == kNoDigits) return nullptr;
  Cursor digits = c;
  if constexpr (shape.digits_max == 0) {
    if (c.code == ' ') digits.next();
    if (!digits.is(kNumber)) return nullptr;
    digits.skip(kNumber);
    return digits.p;
  }
  if (!c.is(kNumber)) return nullptr;
  for (u32 n = 0; n < shape.digits_max && digits.is(kNumber); ++n) digits.next();
  return digits.p;
}

// The end of the match that begins at `c`, or null.
template <WordShape shape>
const char* match_at(const Cursor& c) {
  if constexpr (shape.contraction == Contraction::kLowerCase ||
                shape.contraction == Contraction::kAnyCase) {
    constexpr bool any_case = shape.contraction == Contraction::kAnyCase;
    if (c.code == '\'') {
      if (const u32 n = contraction_bytes<any_case>(c.p, c.end)) return c.p + n;
    }
  }
  if constexpr (shape.ascii_words) {
    if (c.is(kAsciiPunctuation)) {
      Cursor word(c.p + 1, c.end);
      if (word.is(kAsciiLetter)) {
        word.skip(kAsciiLetter);
        return word.p;
      }
    }
  }
  if (const char* end = end_of_word<shape>(c)) return end;
  if (const char* end = end_of_number<shape>(c)) return end;
  Cursor others = c;
  if (c.code == ' ') others.next();
  if (is_other<shape>(others)) return end_of_others<shape>(others);
  return c.is(kSpace) ? end_of_space<shape>(c) : nullptr;
}

template <WordShape shape>
class WordSplitter final : public Splitter {
 public:
  bool find(std::string_view text, u64 from, Match& match) const override {
    for (Cursor c(text.data() + from, text.data() + text.size()); !c.done(); c.next()) {
      if (const char* end = match_at<shape>(c)) {
        match = {u64(c.p - text.data()), u64(end - text.data())};
        return true;
      }
    }
    return false;
  }
};

// [set]{1,max}
class PredicateSplitter final : public Splitter {
 public:
  PredicateSplitter(bool (*is_in)(u32), u32 max) : is_in_(is_in), max_(max) {}
  bool find(std::string_view text, u64 from, Match& match) const override {
    Cursor c(text.data() + from, text.data() + text.size());
    while (!c.done() && !is_in_(c.code)) c.next();
    if (c.done()) return false;
    match.begin = u64(c.p - text.data());
    for (u32 n = 0; n < max_ && !c.done() && is_in_(c.code); ++n) c.next();
    match.end = u64(c.p - text.data());
    return true;
  }

 private:
  bool (*is_in_)(u32);
  u32 max_;
};

class WordOrSymbolsSplitter final : public Splitter {
 public:
  bool find(std::string_view text, u64 from, Match& match) const override {
    Cursor c(text.data() + from, text.data() + text.size());
    c.skip(kSpace);
    if (c.done()) return false;
    match.begin = u64(c.p - text.data());
    const bool word = library::is_word(c.code);
    while (!c.done() && !c.is(kSpace) && library::is_word(c.code) == word) c.next();
    match.end = u64(c.p - text.data());
    return true;
  }
};

bool is_number(u32 code) { return (class_bits(code) & kNumber) != 0; }
// [一-龥぀-ゟ゠-ヿ]
bool is_chinese_or_japanese(u32 code) {
  return (code >= 0x4E00 && code <= 0x9FA5) || (code >= 0x3040 && code <= 0x30FF);
}

class LiteralSplitter final : public Splitter {
 public:
  explicit LiteralSplitter(std::string literal) : literal_(std::move(literal)) {}
  bool find(std::string_view text, u64 from, Match& match) const override {
    const auto at = text.find(literal_, from);
    if (literal_.empty() || at == std::string_view::npos) return false;
    match = {at, at + literal_.size()};
    return true;
  }

 private:
  std::string literal_;
};

constexpr ClassBits kWordPrefixNot = kNewline | kLetter | kNumber;
constexpr ClassBits kOtherNot = kSpace | kLetter | kNumber;

constexpr WordShape kGpt2 = {.contraction = Contraction::kLowerCase,
                             .letters = kLetter,
                             .no_prefix = 0,
                             .digits_max = 0,
                             .others = 0,
                             .not_others = kOtherNot};

constexpr WordShape llama3_like(u32 digits_max) {
  return {.contraction = Contraction::kAnyCase,
          .letters = kLetter,
          .no_prefix = kWordPrefixNot,
          .digits_max = digits_max,
          .others = 0,
          .not_others = kOtherNot,
          .newlines_after = true,
          .newline_runs = true};
}

constexpr WordShape qwen35() {
  WordShape shape = llama3_like(1);
  shape.letters = kLetter | kMark;
  shape.not_others = kOtherNot | kMark;
  return shape;
}

constexpr WordShape o200k_like(Contraction contraction, u32 digits_max) {
  return {.contraction = contraction,
          .letters = kLetter | kMark,
          .no_prefix = kWordPrefixNot,
          .cased = true,
          .digits_max = digits_max,
          .others = 0,
          .not_others = kOtherNot,
          .newlines_after = true,
          .slashes_after = true,
          .newline_runs = true};
}

constexpr WordShape kDeepSeek3 = {.contraction = Contraction::kNone,
                                  .letters = kLetter | kMark,
                                  .no_prefix = kNewline | kLetter | kPunctuation | kSymbol,
                                  .digits_max = kNoDigits,
                                  .others = kPunctuation | kSymbol,
                                  .not_others = 0,
                                  .ascii_words = true,
                                  .newlines_after = true,
                                  .newline_runs = true};

template <WordShape shape>
std::unique_ptr<Splitter> words() {
  return std::make_unique<WordSplitter<shape>>();
}

struct KnownPattern {
  std::string_view text;
  std::unique_ptr<Splitter> (*make)();
};

template <bool (*is_in)(u32), u32 max>
std::unique_ptr<Splitter> runs() {
  return std::make_unique<PredicateSplitter>(is_in, max);
}

constexpr KnownPattern kKnownPatterns[] = {
    {kGpt2Pattern, words<kGpt2>},
    {kLlama3Pattern, words<llama3_like(3)>},
    {kQwen2Pattern, words<llama3_like(1)>},
    {kQwen35Pattern, words<qwen35()>},
    {kO200kPattern, words<o200k_like(Contraction::kSuffix, 3)>},
    {kTekkenPattern, words<o200k_like(Contraction::kNone, 1)>},
    {kDeepSeek3Pattern, words<kDeepSeek3>},
    {kDeepSeek3EscapedPattern, words<kDeepSeek3>},
    {kDigitPattern, runs<is_number, 1>},
    {kDigitsPattern, runs<is_number, ~u32(0)>},
    {kThreeDigitsPattern, runs<is_number, 3>},
    {kChineseJapanesePattern, runs<is_chinese_or_japanese, ~u32(0)>},
};

}  // namespace

std::unique_ptr<Splitter> known_splitter(std::string_view pattern) {
  for (const KnownPattern& known : kKnownPatterns) {
    if (known.text == pattern) return known.make();
  }
  return nullptr;
}

Result<std::unique_ptr<Splitter>> make_splitter(std::string_view pattern) {
  if (auto known = known_splitter(pattern)) return known;
  return regex_splitter(pattern);
}

std::unique_ptr<Splitter> predicate_splitter(bool (*is_in)(u32 code), u32 max) {
  return std::make_unique<PredicateSplitter>(is_in, max);
}

std::unique_ptr<Splitter> word_or_symbols_splitter() {
  return std::make_unique<WordOrSymbolsSplitter>();
}

bool is_space(u32 code) { return (class_bits(code) & kSpace) != 0; }

std::unique_ptr<Splitter> literal_splitter(std::string literal) {
  return std::make_unique<LiteralSplitter>(std::move(literal));
}

}  // namespace orrery::text
