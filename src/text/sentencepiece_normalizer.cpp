// SentencePiece's normaliser (normalizer.cc of its library): the longest entry of the charsmap at
// each place, spaces at the ends and in a row, U+2581 for a space, U+FFFD for a byte that is no
// UTF-8.
#include "text/added_tokens.h"
#include "text/normalizer.h"
#include "text/unicode.h"

namespace orrery::text {

namespace {

constexpr std::string_view kSpaceMark = "\u2581";
constexpr std::string_view kReplacementBytes = "\uFFFD";

class SentencePieceStep final : public Normalizer::Step {
 public:
  SentencePieceStep(SentencePieceRules rules, TokenTrie protected_symbols)
      : rules_(std::move(rules)), protected_(std::move(protected_symbols)) {}

  bool run(std::string_view text, std::string& out) const override {
    if (rules_.remove_extra_whitespaces) {
      while (!text.empty()) {
        const Part part = next(text);
        if (part.text != " ") break;
        text.remove_prefix(part.bytes);
      }
    }
    if (text.empty()) return true;
    const std::string_view space = rules_.escape_whitespaces ? kSpaceMark : std::string_view(" ");
    const u64 begin = out.size();
    out.reserve(begin + text.size() + text.size() / 2);
    if (rules_.add_dummy_prefix && !rules_.whitespace_as_suffix) out += space;
    bool after_space = rules_.remove_extra_whitespaces;
    while (!text.empty()) {
      const Part part = next(text);
      text.remove_prefix(part.bytes);
      std::string_view piece = part.text;
      while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
      if (!piece.empty()) {
        append_escaped(piece, out);
        after_space = piece.ends_with(' ');
      }
      if (!rules_.remove_extra_whitespaces) after_space = false;
    }
    if (rules_.remove_extra_whitespaces) {
      while (out.size() - begin >= space.size() && out.ends_with(space)) {
        out.resize(out.size() - space.size());
      }
    }
    if (rules_.add_dummy_prefix && rules_.whitespace_as_suffix) out += space;
    return true;
  }

 private:
  struct Part {
    std::string_view text;  // normalised
    u64 bytes;              // of the input
  };

  // The next character, symbol or replaced string.
  [[nodiscard]] Part next(std::string_view text) const {
    u32 ignored = 0;
    if (!protected_.empty()) {
      if (const u64 n = protected_.match_at(text, 0, ignored)) return {text.substr(0, n), n};
    }
    if (rules_.charsmap) {
      if (const auto hit = rules_.charsmap->longest(text); hit.bytes) {
        return {hit.replacement, hit.bytes};
      }
    }
    const Character c = decode_utf8(text.data(), text.data() + text.size());
    if (c.code == kNoCode) return {kReplacementBytes, 1};
    return {text.substr(0, c.bytes), c.bytes};
  }

  void append_escaped(std::string_view piece, std::string& out) const {
    if (!rules_.escape_whitespaces) {
      out += piece;
      return;
    }
    for (const char c : piece) {
      if (c == ' ') {
        out += kSpaceMark;
      } else {
        out += c;
      }
    }
  }

  SentencePieceRules rules_;
  TokenTrie protected_;
};

}  // namespace

Result<void> Normalizer::add_sentencepiece(SentencePieceRules rules) {
  TokenTrie symbols;
  for (const std::string& symbol : rules.user_defined) CHECK_OK(symbols.add(symbol, 0));
  steps_.push_back(std::make_unique<SentencePieceStep>(std::move(rules), std::move(symbols)));
  return {};
}

}  // namespace orrery::text
