// Pre-tokenizer patterns that nobody has written a matcher for, compiled with PCRE2.
//
// Two things are translated on the way, so that a pattern means what it means to Hugging Face
// tokenizers (Oniguruma, Unicode 16) on every machine: general categories become ranges of our own
// table, because each PCRE2 knows another Unicode version, and \s becomes White_Space, because
// PCRE2's has U+180E too. A pattern is a stranger's program: its steps are limited, and one that
// runs away on plain strings is refused when it is loaded.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <string>
#include <vector>

#include "text/splitter.h"
#include "text/unicode.h"
#include "text/unicode_library.h"

namespace orrery::text {

namespace {

constexpr u64 kPatternBytesMax = 4096;
constexpr u32 kStepsMax = 2'000'000;    // a match on a long run of one class takes about its length
constexpr u32 kLoadStepsMax = 200'000;  // on the short strings that a pattern is tried with
constexpr u32 kCategoryCount = 30;

using CategorySet = u32;  // bit i: Category(i)

constexpr CategorySet set_of(Category first, Category last) {
  return (u32(2) << u32(last)) - (u32(1) << u32(first));
}
constexpr CategorySet kAll = (u32(1) << kCategoryCount) - 1;
constexpr CategorySet kControlSpaceSet = u32(1) << u32(Category::kControlSpace);
constexpr CategorySet kSpaceSet = set_of(Category::kZs, Category::kZp) | kControlSpaceSet;
constexpr CategorySet kDigitSet = set_of(Category::kNd, Category::kNd);
constexpr CategorySet kWordSet =
    set_of(Category::kLu, Category::kNl) | set_of(Category::kPc, Category::kPc);

// The set that \p{name} means; 0 when the name is no general category.
CategorySet named_set(std::string_view name) {
  static constexpr std::array<std::string_view, 29> kNames = {
      "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
      "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn"};
  CategorySet set = 0;
  if (name.empty() || name.size() > 2) return 0;
  for (u32 i = 0; i < kNames.size(); ++i) {
    if (kNames[i].substr(0, name.size()) == name) set |= u32(1) << i;
  }
  if (set & (u32(1) << u32(Category::kCc))) set |= kControlSpaceSet;
  return set;
}

// The ranges of the codes that `is_in` accepts, as they stand inside [...].
template <typename IsIn>
std::string ranges_where(IsIn is_in) {
  std::string out;
  const auto has = [&](u32 code) {
    return code < kNoCode && (code < 0xD800 || code > 0xDFFF) && is_in(code);
  };
  for (u32 code = 0; code < kNoCode; ++code) {
    if (!has(code)) continue;
    const u32 first = code;
    while (has(code + 1)) ++code;
    out += fmt::format("\\x{{{:x}}}", first);
    if (code > first) out += fmt::format("-\\x{{{:x}}}", code);
  }
  return out;
}

bool is_script(std::string_view name) {
  const std::string pattern = fmt::format("\\p{{sc:{}}}", name);
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &place, nullptr);
  pcre2_code_free(code);
  return code != nullptr;
}

// Rewrites a pattern (see the top of the file). Everything that is not a class escape stays.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        CHECK_OK(escape());
        continue;
      }
      if (in_class_ && in_.substr(at_, 2) == "&&") {
        return fail("the pre-tokenizer pattern intersects classes (&&), which is not supported");
      }
      if (c == '[') ++in_class_;
      if (c == ']' && in_class_) --in_class_;
      if (in_class_ > 1) {
        return fail("the pre-tokenizer pattern nests classes, which is not supported");
      }
      out_ += c;
      ++at_;
      if (c == '[') leading_bracket();
    }
    return out_;
  }

 private:
  // "[]" and "[^]": a bracket right after the opening is a literal.
  void leading_bracket() {
    if (at_ < in_.size() && in_[at_] == '^') out_ += in_[at_++];
    if (at_ < in_.size() && in_[at_] == ']') out_ += "\\]", ++at_;
  }

  void put(const std::string& ranges) { out_ += in_class_ ? ranges : "[" + ranges + "]"; }

  Result<void> escape() {
    if (at_ + 1 >= in_.size()) return fail("the pre-tokenizer pattern ends in a backslash");
    const char c = in_[at_ + 1];
    switch (c) {
      case 's':
        return put_and_skip(kSpaceSet, 2);
      case 'S':
        return put_and_skip(kAll & ~kSpaceSet, 2);
      case 'd':
        return put_and_skip(kDigitSet, 2);
      case 'D':
        return put_and_skip(kAll & ~kDigitSet, 2);
      case 'w':
        return put_and_skip(kWordSet, 2);
      case 'W':
        return put_and_skip(kAll & ~kWordSet, 2);
      case 'p':
      case 'P':
        return property();
      case 'h':
      case 'H':
      case 'R':
      case 'X':
      case 'K':
      case 'C':
        return fail("the pre-tokenizer pattern uses \\{}, which is not supported", c);
      default:
        break;
    }
    out_ += in_.substr(at_, 2);
    at_ += 2;
    return {};
  }

  Result<void> put_and_skip(CategorySet set, u64 bytes) {
    put(ranges_where([set](u32 code) { return (set >> u32(category(code)) & 1) != 0; }));
    at_ += bytes;
    return {};
  }

  Result<void> property() {
    const auto close = in_.find('}', at_);
    if (at_ + 2 >= in_.size() || in_[at_ + 2] != '{' || close == std::string_view::npos) {
      return fail("the pre-tokenizer pattern has a \\p without a name in braces");
    }
    std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    bool negated = in_[at_ + 1] == 'P';
    if (!name.empty() && name[0] == '^') negated = !negated, name.remove_prefix(1);
    const CategorySet set = named_set(name);
    if (set == 0) {
      // A script means the characters that are of it, as in Oniguruma. PCRE2's plain \p{Greek} also
      // takes those that are used with it, and which these are changes with its Unicode version.
      out_ += fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', is_script(name) ? "sc:" : "", name);
      at_ = close + 1;
      return {};
    }
    return put_and_skip(negated ? kAll & ~set : set, close + 1 - at_);
  }

  std::string_view in_;
  std::string out_;
  u64 at_ = 0;
  u32 in_class_ = 0;
};

class RegexSplitter final : public Splitter {
 public:
  RegexSplitter(pcre2_code* code, pcre2_match_context* limits) : code_(code), limits_(limits) {}
  ~RegexSplitter() override {
    pcre2_match_context_free(limits_);
    pcre2_code_free(code_);
  }
  RegexSplitter(const RegexSplitter&) = delete;
  RegexSplitter& operator=(const RegexSplitter&) = delete;

  bool find(std::string_view text, u64 from, Match& match) const override {
    // A match that passes the limit counts as none: the rest of the text stays one word.
    return search(text, from, match) > 0;
  }

  // 1: found, 0: none, negative: an error of PCRE2 (a limit).
  int search(std::string_view text, u64 from, Match& match) const {
    pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
    if (!data) return PCRE2_ERROR_NOMEMORY;
    int result = 0;
    while (from < text.size()) {
      result = pcre2_match(code_, subject(text), text.size(), from, PCRE2_NOTEMPTY, data, limits_);
      if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
        result = pcre2_match(code_, subject(text), text.size(), from, PCRE2_NOTEMPTY | PCRE2_NO_JIT,
                             data, limits_);
      }
      if (result < 0) break;
      const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
      match = {ends[0], ends[1]};
      if (match.begin >= from && match.end > match.begin) break;  // \K could do worse
      ++from;
      result = 0;
    }
    pcre2_match_data_free(data);
    if (result == PCRE2_ERROR_NOMATCH) return 0;
    return result < 0 ? result : int(from < text.size());
  }

  void limit_steps(u32 steps) { pcre2_set_match_limit(limits_, steps); }

 private:
  static PCRE2_SPTR subject(std::string_view text) {
    return reinterpret_cast<PCRE2_SPTR>(text.data());
  }
  pcre2_code* code_;
  pcre2_match_context* limits_;
};

// Strings that patterns backtrack over without end when they can: runs of one class, and of each
// character that the pattern itself names.
std::vector<std::string> stress_units(std::string_view pattern) {
  std::vector<std::string> units = {"a", "A", "1", " ", "\n", "-", "a1", "a ", "é", "中"};
  std::string seen;
  for (const char c : pattern) {
    if (c <= ' ' || c > '~' || seen.size() == 32 || seen.find(c) != std::string::npos) continue;
    seen += c;
    units.push_back({c});
  }
  return units;
}

bool runs_away(RegexSplitter& splitter, std::string_view pattern) {
  splitter.limit_steps(kLoadStepsMax);
  for (const std::string& unit : stress_units(pattern)) {
    std::string text;
    while (text.size() < 2000) text += unit;
    text += '\x01';
    for (char c = ' '; c <= '~'; ++c) text += c;  // whatever the pattern needs to have in reach
    Match match;
    for (u64 from = 0; from < text.size();) {
      const int result = splitter.search(text, from, match);
      if (result < 0) return true;
      if (result == 0) break;
      from = match.end;
    }
  }
  splitter.limit_steps(kStepsMax);
  return false;
}

}  // namespace

Result<std::unique_ptr<Splitter>> regex_splitter(std::string_view pattern) {
  if (pattern.size() > kPatternBytesMax) {
    return fail("the pre-tokenizer pattern has {} bytes, more than {}", pattern.size(),
                kPatternBytesMax);
  }
  TRY(const std::string translated, Translator(pattern).run());
  int error = 0;
  PCRE2_SIZE where = 0;
  pcre2_code* code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
      &error, &where, nullptr);
  if (!code) {
    std::array<PCRE2_UCHAR, 200> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return fail("the pre-tokenizer pattern is no regular expression: {}",
                reinterpret_cast<const char*>(message.data()));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it the interpreter runs: slower, the same
  pcre2_match_context* limits = pcre2_match_context_create(nullptr);
  if (!limits) {
    pcre2_code_free(code);
    return fail("out of memory for a pre-tokenizer pattern");
  }
  pcre2_set_heap_limit(limits, 64 * 1024);  // KiB
  auto splitter = std::make_unique<RegexSplitter>(code, limits);
  if (runs_away(*splitter, pattern)) {
    return fail("the pre-tokenizer pattern backtracks without end; it would block the program");
  }
  return splitter;
}

}  // namespace orrery::text
