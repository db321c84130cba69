// See base64.h.
#include "text/base64.h"

#include <array>

#include "base/types.h"

namespace orrery::text {

namespace {

constexpr auto kValues = [] {
  std::array<i8, 256> values{};
  for (i8& value : values) value = -1;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (u32 i = 0; i < kAlphabet.size(); ++i) values[u8(kAlphabet[i])] = i8(i);
  return values;
}();

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  for (u32 i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return fail("base64 text is cut off");
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  u32 bits = 0, count = 0;
  for (const char c : text) {
    const i8 value = kValues[u8(c)];
    if (value < 0) return fail("base64 text has a character that is none of its alphabet");
    bits = bits << 6 | u32(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += char(bits >> count);
  }
  return bytes;
}

}  // namespace orrery::text
