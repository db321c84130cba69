// See unicode_library.h.
#include "text/unicode_library.h"

#include <algorithm>
#include <span>

#include "text/unicode.h"

namespace orrery::text::library {

namespace {

struct CodeRange {
  u32 first, last;
};
// Every `step`-th code from first to last becomes lower case by adding `delta`.
struct CaseRun {
  u32 first, last, step;
  i32 delta;
};

#include "text/unicode_library_tables.inc"

bool is_in(std::span<const CodeRange> ranges, u32 code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](u32 c, const CodeRange& r) { return c < r.first; });
  return after != ranges.begin() && code <= (after - 1)->last;
}

bool is_plain_word(u32 code) {
  if (class_bits(code) & (kLetter | kMark)) return true;
  const Category c = category(code);
  return c == Category::kNd || c == Category::kNl || c == Category::kPc;
}

}  // namespace

bool is_word(u32 code) { return is_plain_word(code) || is_in(kWordExtra, code); }

bool is_oniguruma_word(u32 code) { return is_plain_word(code) || is_in(kOnigurumaWordExtra, code); }

bool is_punctuation(u32 code) {
  const ClassBits bits = class_bits(code);
  if (bits & kAsciiPunctuation) return true;
  if (bits & kPunctuation) return !is_in(kPunctuationMissing, code);
  return is_in(kPunctuationExtra, code);
}

bool is_number(u32 code) { return (class_bits(code) & kNumber) != 0 || is_in(kNumberExtra, code); }

bool is_accent(u32 code) {
  if (class_bits(code) & kMark) return !is_in(kAccentMissing, code);
  return is_in(kAccentExtra, code);
}

bool is_inert(u32 code) { return code >= kInert[0].first && is_in(kInert, code); }

bool is_trivial_in_nfc(u32 code) {
  const u64 block = code / 128;
  return block / 8 >= std::size(kNfcBlocks) || !(kNfcBlocks[block / 8] >> (block % 8) & 1);
}

void append_lower_case(std::string& out, u32 code) {
  if (code == 0x130) {  // the only character whose lower case is two: i and a dot above
    out += "i\u0307";
    return;
  }
  const std::span runs(kLowerCase);
  auto run = std::upper_bound(runs.begin(), runs.end(), code,
                              [](u32 c, const CaseRun& r) { return c < r.first; });
  // Runs of step 2 interleave (Latin letters alternate), so the one before may be ours too.
  for (u32 back = 0; back < 3 && run != runs.begin(); ++back) {
    --run;
    if (code <= run->last && (code - run->first) % run->step == 0) {
      return append_utf8(out, u32(i64(code) + run->delta));
    }
  }
  append_utf8(out, code);
}

}  // namespace orrery::text::library
