// See unicode.h. The table lookup has two steps (block of 256, place in the block); ASCII has one.
#include "text/unicode.h"

#include <array>

namespace orrery::text {

namespace {

#include "text/unicode_tables.inc"

constexpr ClassBits bits_of(Category category) {
  switch (category) {
    case Category::kLu:
    case Category::kLt:
      return kLetter | kUpperLike;
    case Category::kLl:
      return kLetter | kLowerLike;
    case Category::kLm:
    case Category::kLo:
      return kLetter | kUpperLike | kLowerLike;
    case Category::kMn:
    case Category::kMc:
    case Category::kMe:
      return kMark | kUpperLike | kLowerLike;
    case Category::kNd:
    case Category::kNl:
    case Category::kNo:
      return kNumber;
    case Category::kPc:
    case Category::kPd:
    case Category::kPs:
    case Category::kPe:
    case Category::kPi:
    case Category::kPf:
    case Category::kPo:
      return kPunctuation;
    case Category::kSm:
    case Category::kSc:
    case Category::kSk:
    case Category::kSo:
      return kSymbol;
    case Category::kZs:
    case Category::kZl:
    case Category::kZp:
    case Category::kControlSpace:
      return kSpace;
    default:
      return 0;
  }
}

constexpr Category table_category(u32 code) {
  return Category(kCategoryBlocks[kCategoryIndex[code >> 8]][code & 255] - 'a');
}

constexpr auto kBitsOfCategory = [] {
  std::array<ClassBits, 32> bits{};
  for (u32 i = 0; i < 30; ++i) bits[i] = bits_of(Category(i));
  return bits;
}();

constexpr auto kAsciiBits = [] {
  std::array<ClassBits, 128> bits{};
  for (u32 code = 0; code < 128; ++code) {
    bits[code] = kBitsOfCategory[u32(table_category(code))];
    if (bits[code] & kLetter) bits[code] |= kAsciiLetter;
    if (bits[code] & (kPunctuation | kSymbol)) bits[code] |= kAsciiPunctuation;
    if (code == '\r' || code == '\n') bits[code] |= kNewline;
  }
  return bits;
}();

// Bytes of a character by its first byte; 0: begins none.
constexpr u32 length_of_lead(u8 lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// The second byte has a narrower range after some leads: no overlong forms, no surrogates, no code
// above U+10FFFF.
constexpr bool second_byte_fits(u8 lead, u8 second) {
  if ((second & 0xC0) != 0x80) return false;
  switch (lead) {
    case 0xE0:
      return second >= 0xA0;
    case 0xED:
      return second < 0xA0;
    case 0xF0:
      return second >= 0x90;
    case 0xF4:
      return second < 0x90;
    default:
      return true;
  }
}

// How many of the first `available` bytes are a valid beginning of the character of lead p[0].
u32 valid_prefix(const char* p, u64 available, u32 length) {
  if (available < 2 || !second_byte_fits(u8(p[0]), u8(p[1]))) return 1;
  u32 n = 2;
  while (n < length && n < available && (u8(p[n]) & 0xC0) == 0x80) ++n;
  return n;
}

}  // namespace

Category category(u32 code) { return code < kNoCode ? table_category(code) : Category::kCn; }

ClassBits class_bits(u32 code) {
  if (code < 128) return kAsciiBits[code];
  return code < kNoCode ? kBitsOfCategory[u32(table_category(code))] : ClassBits(0);
}

Character decode_utf8_multibyte(const char* p, const char* end) {
  const u32 length = length_of_lead(u8(*p));
  if (length == 1) return {u8(*p), 1};
  if (length == 0 || valid_prefix(p, u64(end - p), length) < length) return {kNoCode, 1};
  const auto low = [p](u32 i) { return u32(u8(p[i]) & 0x3F); };
  const u32 lead = u8(*p);
  if (length == 2) return {(lead & 0x1F) << 6 | low(1), 2};
  if (length == 3) return {(lead & 0x0F) << 12 | low(1) << 6 | low(2), 3};
  return {(lead & 0x07) << 18 | low(1) << 12 | low(2) << 6 | low(3), 4};
}

Character decode_utf8_back(const char* begin, const char* p) {
  for (u32 n = 1; n <= 4 && n <= u64(p - begin); ++n) {
    if ((u8(p[-i64(n)]) & 0xC0) == 0x80) continue;
    const Character c = decode_utf8(p - n, p);
    if (c.bytes == n) return c;
    break;
  }
  return {kNoCode, 1};
}

void append_utf8(std::string& out, u32 code) {
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += char(0xC0 | code >> 6);
    out += char(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += char(0xE0 | code >> 12);
    out += char(0x80 | (code >> 6 & 0x3F));
    out += char(0x80 | (code & 0x3F));
  } else {
    out += char(0xF0 | code >> 18);
    out += char(0x80 | (code >> 12 & 0x3F));
    out += char(0x80 | (code >> 6 & 0x3F));
    out += char(0x80 | (code & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const Character c = decode_utf8(p, end);
    if (c.code == kNoCode) return false;
    p += c.bytes;
  }
  return true;
}

bool is_one_character(std::string_view text) {
  if (text.empty()) return false;
  const Character c = decode_utf8(text.data(), text.data() + text.size());
  return c.code != kNoCode && c.bytes == text.size();
}

u32 incomplete_suffix(std::string_view text) {
  for (u32 n = 1; n <= 3 && n <= text.size(); ++n) {
    const char* p = text.data() + text.size() - n;
    if ((u8(*p) & 0xC0) == 0x80) continue;
    const u32 length = length_of_lead(u8(*p));
    return length > n && valid_prefix(p, n, length) == n ? n : 0;
  }
  return 0;
}

void append_lossy(std::string& out, std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* good = p;  // everything in [good, p) is well formed and not yet appended
  while (p < end) {
    const Character c = decode_utf8(p, end);
    if (c.code != kNoCode) {
      p += c.bytes;
      continue;
    }
    out.append(good, p);
    append_utf8(out, kReplacement);
    const u32 length = length_of_lead(u8(*p));
    p += length < 2 ? 1 : valid_prefix(p, u64(end - p), length);
    good = p;
  }
  out.append(good, p);
}

}  // namespace orrery::text
