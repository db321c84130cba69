// The normal forms of Unicode (NFC, NFD, NFKC, NFKD) as a step of the normaliser.
//
// utf8proc does the work, over stretches that need it: most text is in NFC already, and a table
// says of which blocks of characters that is certain. Characters that Hugging Face's tables do not
// know yet are left alone and bound the stretches.
#include <utf8proc.h>

#include <cstdlib>

#include "text/normalizer.h"
#include "text/unicode.h"
#include "text/unicode_library.h"

namespace orrery::text {

namespace {

// The place before the first final consonant of Hangul, itself none (Unicode 3.12, TBase). utf8proc
// up to 2.9 takes it for one and lets it vanish.
constexpr u32 kBeforeFinals = 0x11A7;

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

class NormalFormStep final : public Normalizer::Step {
 public:
  explicit NormalFormStep(NormalForm form) : form_(form) {}

  bool run(std::string_view text, std::string& out) const override {
    const char* const end = text.data() + text.size();
    const char* done = text.data();  // before it everything is in `out`
    const char* last = text.data();  // where the last character begins: a mark may join it
    for (const char* p = text.data(); p < end;) {
      const Character c = decode_utf8(p, end);
      if (is_trivial(c.code)) {
        last = p;
        p += c.bytes;
        continue;
      }
      const char* const stop = stretch_end(p, end);
      out.append(done, last);
      append_normal_form(out, last, stop);
      done = p = last = stop;
    }
    if (done == text.data()) return false;
    out.append(done, end);
    return true;
  }

 private:
  // Nothing happens to it and nothing joins it to what stands before.
  [[nodiscard]] bool is_trivial(u32 code) const {
    if (code < 0x80 || code == kNoCode || code == kBeforeFinals || library::is_inert(code))
      return true;
    return form_ == NormalForm::kNfc && library::is_trivial_in_nfc(code);
  }

  [[nodiscard]] const char* stretch_end(const char* p, const char* end) const {
    while (p < end) {
      const Character c = decode_utf8(p, end);
      if (is_trivial(c.code)) break;
      p += c.bytes;
    }
    return p;
  }

  // [begin, end): at most one trivial character, then others. The first may be one that takes no
  // part.
  void append_normal_form(std::string& out, const char* begin, const char* end) const {
    const Character first = decode_utf8(begin, end);
    if (first.code == kNoCode || library::is_inert(first.code)) {
      out.append(begin, first.bytes);
      begin += first.bytes;
    }
    utf8proc_uint8_t* result = nullptr;
    const auto bytes = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(begin),
                                    utf8proc_ssize_t(end - begin), &result,
                                    utf8proc_option_t(UTF8PROC_STABLE | options_of(form_)));
    if (bytes >= 0) {
      out.append(reinterpret_cast<const char*>(result), std::size_t(bytes));
    } else {
      out.append(begin, end);  // out of memory: the text stays as it is
    }
    std::free(result);
  }
  NormalForm form_;
};

}  // namespace

void Normalizer::add(NormalForm form) { steps_.push_back(std::make_unique<NormalFormStep>(form)); }

}  // namespace orrery::text
