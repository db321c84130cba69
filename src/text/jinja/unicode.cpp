// Unicode: UTF-8, and the classes and case mappings of Python's str on top of utf8proc.
#include "text/jinja/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "text/jinja/case_table.h"

namespace orrery::text::jinja {
namespace {

struct RuneRange {
  u32 first, last;
};

template <u64 N>
bool in(const RuneRange (&ranges)[N], u32 rune) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [rune](RuneRange r) { return r.first <= rune && rune <= r.last; });
}

// The Unicode properties Other_Uppercase and Other_Lowercase: cased characters that are no letters.
constexpr RuneRange kOtherUpper[] = {
    {0x2160, 0x216f}, {0x24b6, 0x24cf}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
constexpr RuneRange kOtherLower[] = {
    {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},    {0x2e0, 0x2e4},
    {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},   {0x1d78, 0x1d78},  {0x1d9b, 0x1dbf},
    {0x2071, 0x2071},   {0x207f, 0x207f},   {0x2090, 0x209c},   {0x2170, 0x217f},  {0x24d0, 0x24e9},
    {0x2c7c, 0x2c7d},   {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},  {0xab5c, 0xab5f},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}};
// Digits that are no decimals (superscripts, circled), and ideographs that are numbers.
constexpr RuneRange kDigits[] = {
    {0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
    {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
    {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
    {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
    {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}};
constexpr u32 kNumberIdeographs[] = {
    0x3405,  0x3483,  0x382a,  0x3b4d,  0x4e00,  0x4e03,  0x4e07,  0x4e09,  0x4e5d,
    0x4e8c,  0x4e94,  0x4e96,  0x4ebf,  0x4ec0,  0x4edf,  0x4ee8,  0x4f0d,  0x4f70,
    0x5104,  0x5146,  0x5169,  0x516b,  0x516d,  0x5341,  0x5343,  0x5344,  0x5345,
    0x534c,  0x53c1,  0x53c2,  0x53c3,  0x53c4,  0x56db,  0x58f1,  0x58f9,  0x5e7a,
    0x5efe,  0x5eff,  0x5f0c,  0x5f0d,  0x5f0e,  0x5f10,  0x62fe,  0x634c,  0x67d2,
    0x6f06,  0x7396,  0x767e,  0x8086,  0x842c,  0x8cae,  0x8cb3,  0x8d30,  0x9621,
    0x9646,  0x964c,  0x9678,  0x96f6,  0xf96b,  0xf973,  0xf978,  0xf9b2,  0xf9d1,
    0xf9d3,  0xf9fd,  0x20001, 0x20064, 0x200e2, 0x20121, 0x2092a, 0x20983, 0x2098c,
    0x2099c, 0x20aea, 0x20afd, 0x20b19, 0x22390, 0x22998, 0x23b1b, 0x2626d, 0x2f890};

utf8proc_category_t category(u32 rune) {
  return rune > 0x10ffff ? UTF8PROC_CATEGORY_CN : utf8proc_category(utf8proc_int32_t(rune));
}
bool between(u32 rune, utf8proc_category_t first, utf8proc_category_t last) {
  const utf8proc_category_t c = category(rune);
  return first <= c && c <= last;
}
bool is_continuation(u8 byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

Decoded decode(std::string_view text, u64 at) {
  const auto byte = [&](u64 i) { return at + i < text.size() ? u8(text[at + i]) : u8(0); };
  const u8 lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const Decoded broken{kBrokenByte + lead, 1};
  const u32 size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return broken;
  u32 rune = lead & (0xff >> (size + 1));
  for (u32 i = 1; i < size; ++i) {
    if (!is_continuation(byte(i))) return broken;
    rune = rune << 6 | (byte(i) & 0x3f);
  }
  constexpr u32 kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (rune < kSmallest[size] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return broken;
  return {rune, size};
}

u32 encode(u32 rune, char* out) {
  if (rune >= kBrokenByte) return *out = char(rune - kBrokenByte), 1;
  return u32(
      utf8proc_encode_char(utf8proc_int32_t(rune), reinterpret_cast<utf8proc_uint8_t*>(out)));
}

u64 count_runes(std::string_view text) {
  u64 count = 0;
  for (u64 at = 0; at < text.size(); ++count)
    at += u8(text[at]) < 0x80 ? 1 : decode(text, at).bytes;
  return count;
}

u64 previous_rune(std::string_view text, u64 end) {
  u64 at = end - 1;
  for (u64 back = 1; back < 4 && at > 0 && is_continuation(u8(text[at])); ++back) --at;
  return at + decode(text, at).bytes == end ? at : end - 1;
}

bool is_space(u32 r) {
  if (r < 0x80) return (r >= 9 && r <= 13) || (r >= 0x1c && r <= 0x20);
  return r == 0x85 || r == 0xa0 || r == 0x1680 || (r >= 0x2000 && r <= 0x200a) || r == 0x2028 ||
         r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000;
}
bool is_line_break(u32 r) {
  return (r >= 10 && r <= 13) || (r >= 0x1c && r <= 0x1e) || r == 0x85 || r == 0x2028 ||
         r == 0x2029;
}
bool is_alpha(u32 r) { return between(r, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO); }
bool is_decimal(u32 r) { return category(r) == UTF8PROC_CATEGORY_ND; }
bool is_digit(u32 r) { return is_decimal(r) || in(kDigits, r); }
bool is_numeric(u32 r) {
  return between(r, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO) ||
         std::binary_search(std::begin(kNumberIdeographs), std::end(kNumberIdeographs), r);
}
bool is_upper(u32 r) { return category(r) == UTF8PROC_CATEGORY_LU || in(kOtherUpper, r); }
bool is_lower(u32 r) { return category(r) == UTF8PROC_CATEGORY_LL || in(kOtherLower, r); }
bool is_title(u32 r) { return category(r) == UTF8PROC_CATEGORY_LT; }
bool is_cased(u32 r) { return is_upper(r) || is_lower(r) || is_title(r); }
bool is_case_ignorable(u32 r) {
  switch (category(r)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      break;
  }
  constexpr u32 kOthers[] = {0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,  0x5f4,  0x2018, 0x2019,
                             0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};
  return std::find(std::begin(kOthers), std::end(kOthers), r) != std::end(kOthers);
}
bool is_printable(u32 r) {
  return r == ' ' || !(between(r, UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_CO) ||
                       category(r) == UTF8PROC_CATEGORY_CN);
}
bool is_word(u32 r) { return r == '_' || is_alpha(r) || is_numeric(r); }

i32 decimal_value(u32 r) {
  if (r < 0x80) return r >= '0' && r <= '9' ? i32(r - '0') : -1;
  if (!is_decimal(r)) return -1;
  // Decimals come in runs of ten that begin at zero; mathematical digits are five runs in a row.
  if (r >= 0x1d7ce && r <= 0x1d7ff) return i32((r - 0x1d7ce) % 10);
  i32 value = 0;
  while (value < 9 && is_decimal(r - u32(value) - 1)) ++value;
  return value;
}

void map_case(u32 rune, Case to, std::string& out) {
  char buffer[4];
  if (rune < 0x80) {
    const bool letter = to == Case::kUpper || to == Case::kTitle ? rune >= 'a' && rune <= 'z'
                                                                 : rune >= 'A' && rune <= 'Z';
    out += char(letter ? rune ^ 0x20 : rune);
    return;
  }
  const auto append = [&](u32 r) { out.append(buffer, encode(r, buffer)); };
  if (rune > 0x10ffff) return append(rune);
  const utf8proc_int32_t r = utf8proc_int32_t(rune);
  if (to == Case::kLower) {
    if (rune == 0x130)
      out += "i\u0307";
    else
      append(u32(utf8proc_tolower(r)));
  } else if (to == Case::kFold) {
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(r, folded, 8, UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, 8); ++i)
      append(u32(folded[i]));
  } else if (const LongCase* row = find_long_case(rune)) {
    out += to == Case::kUpper ? row->upper : row->title;
  } else {
    append(u32(to == Case::kUpper ? utf8proc_toupper(r) : utf8proc_totitle(r)));
  }
}

}  // namespace orrery::text::jinja
