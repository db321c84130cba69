// See normalizer.h. Normal forms come from utf8proc, run over stretches of valid UTF-8.
#include "text/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>

#include "text/unicode.h"

namespace orrery::text {

namespace {

utf8proc_option_t options_of(NormalForm form) {
  switch (form) {
    case NormalForm::kNfc:
      return UTF8PROC_COMPOSE;
    case NormalForm::kNfd:
      return UTF8PROC_DECOMPOSE;
    case NormalForm::kNfkc:
      return utf8proc_option_t(UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case NormalForm::kNfkd:
      return utf8proc_option_t(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  }
  return UTF8PROC_COMPOSE;
}

bool is_ascii(std::string_view text) {
  u8 all = 0;
  for (const char c : text) all |= u8(c);
  return all < 0x80;
}

void append_normal_form(std::string& out, std::string_view text, NormalForm form) {
  utf8proc_uint8_t* result = nullptr;
  const auto bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                  utf8proc_ssize_t(text.size()), &result,
                                  utf8proc_option_t(UTF8PROC_STABLE | options_of(form)));
  if (bytes >= 0) {
    out.append(reinterpret_cast<const char*>(result), std::size_t(bytes));
  } else {
    out += text;
  }
  std::free(result);
}

}  // namespace

std::string_view Normalizer::run(std::string_view text, std::string& buffer) const {
  for (const Step& step : steps_) {
    const NormalForm form = std::get<NormalForm>(step);
    if (is_ascii(text)) continue;
    std::string out;
    const char* p = text.data();
    const char* const end = p + text.size();
    while (p < end) {
      const char* good = p;
      while (p < end) {
        const Character c = decode_utf8(p, end);
        if (c.code == kNoCode) break;
        p += c.bytes;
      }
      append_normal_form(out, {good, std::size_t(p - good)}, form);
      if (p < end) out += *p++;
    }
    buffer = std::move(out);
    text = buffer;
  }
  return text;
}

}  // namespace orrery::text
