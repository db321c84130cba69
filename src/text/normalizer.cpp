// See normalizer.h. Normal forms are in normal_form.cpp, SentencePiece's step in
// sentencepiece_normalizer.cpp.
#include "text/normalizer.h"

#include <utf8proc.h>

#include "text/unicode.h"
#include "text/unicode_library.h"

namespace orrery::text {

namespace {

// Calls visit(code, bytes) for every character; invalid bytes have kNoCode.
template <typename Visit>
void each_character(std::string_view text, Visit visit) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const Character c = decode_utf8(p, end);
    visit(c.code, std::string_view(p, c.bytes));
    p += c.bytes;
  }
}

class LowerCase final : public Normalizer::Step {
 public:
  bool run(std::string_view text, std::string& out) const override {
    each_character(text, [&](u32 code, std::string_view bytes) {
      if (code == kNoCode) {
        out += bytes;
      } else {
        library::append_lower_case(out, code);
      }
    });
    return true;
  }
};

class StripAccents final : public Normalizer::Step {
 public:
  bool run(std::string_view text, std::string& out) const override {
    each_character(text, [&](u32 code, std::string_view bytes) {
      if (!library::is_accent(code)) out += bytes;
    });
    return true;
  }
};

class Strip final : public Normalizer::Step {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  bool run(std::string_view text, std::string& out) const override {
    const char* begin = text.data();
    const char* end = begin + text.size();
    while (left_ && begin < end) {
      const Character c = decode_utf8(begin, end);
      if (!(class_bits(c.code) & kSpace)) break;
      begin += c.bytes;
    }
    while (right_ && begin < end) {
      const Character c = decode_utf8_back(begin, end);
      if (!(class_bits(c.code) & kSpace)) break;
      end -= c.bytes;
    }
    out.append(begin, end);
    return true;
  }

 private:
  bool left_, right_;
};

class Prepend final : public Normalizer::Step {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  bool run(std::string_view text, std::string& out) const override {
    if (text.empty()) return false;
    out.reserve(out.size() + prefix_.size() + text.size());
    out += prefix_;
    out += text;
    return true;
  }

 private:
  std::string prefix_;
};

class Replace final : public Normalizer::Step {
 public:
  Replace(std::unique_ptr<Splitter> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  bool run(std::string_view text, std::string& out) const override {
    Match match;
    u64 done = 0;
    if (!pattern_->find(text, 0, match)) return false;
    out.reserve(out.size() + text.size() + text.size() / 2);
    do {
      out += text.substr(done, match.begin - done);
      out += content_;
      done = match.end;
    } while (pattern_->find(text, done, match));
    out += text.substr(done);
    return true;
  }

 private:
  std::unique_ptr<Splitter> pattern_;
  std::string content_;
};

// Hugging Face's reading of a charsmap: a grapheme of up to five bytes is looked up as a whole, and
// then its characters one by one; the shortest entry that begins the text counts.
class Precompiled final : public Normalizer::Step {
 public:
  explicit Precompiled(Charsmap charsmap) : charsmap_(std::move(charsmap)) {}
  bool run(std::string_view text, std::string& out) const override {
    const char* const end = text.data() + text.size();
    for (const char* p = text.data(); p < end;) {
      const char* next = grapheme_end(p, end);
      append_grapheme({p, std::size_t(next - p)}, out);
      p = next;
    }
    return true;
  }

 private:
  static const char* grapheme_end(const char* p, const char* end) {
    Character last = decode_utf8(p, end);
    utf8proc_int32_t state = 0;
    for (p += last.bytes; p < end; p += last.bytes) {
      const Character c = decode_utf8(p, end);
      if (last.code == kNoCode || c.code == kNoCode ||
          utf8proc_grapheme_break_stateful(utf8proc_int32_t(last.code), utf8proc_int32_t(c.code),
                                           &state)) {
        break;
      }
      last = c;
    }
    return p;
  }

  void append_grapheme(std::string_view grapheme, std::string& out) const {
    if (grapheme.size() < 6) {
      if (const auto hit = charsmap_.shortest(grapheme); hit.bytes) {
        out += hit.replacement;
        return;
      }
    }
    each_character(grapheme, [&](u32, std::string_view bytes) {
      const auto hit = charsmap_.shortest(bytes);
      out += hit.bytes ? hit.replacement : bytes;
    });
  }
  Charsmap charsmap_;
};

}  // namespace

void Normalizer::add_lower_case() { steps_.push_back(std::make_unique<LowerCase>()); }
void Normalizer::add_strip_accents() { steps_.push_back(std::make_unique<StripAccents>()); }

void Normalizer::add_strip(bool left, bool right) {
  steps_.push_back(std::make_unique<Strip>(left, right));
}

void Normalizer::add_prepend(std::string prefix) {
  steps_.push_back(std::make_unique<Prepend>(std::move(prefix)));
}

void Normalizer::add_replace(std::unique_ptr<Splitter> pattern, std::string content) {
  steps_.push_back(std::make_unique<Replace>(std::move(pattern), std::move(content)));
}

void Normalizer::add_precompiled(Charsmap charsmap) {
  steps_.push_back(std::make_unique<Precompiled>(std::move(charsmap)));
}

std::string_view Normalizer::run(std::string_view text, std::string& buffer) const {
  std::string out;
  for (const auto& step : steps_) {
    out.clear();
    if (!step->run(text, out)) continue;
    std::swap(out, buffer);
    text = buffer;
  }
  return text;
}

}  // namespace orrery::text
