// Lexer: the states of jinja2's lexer (text, comment, raw, block, variable) written by hand.
#include "text/jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "text/jinja/heap.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

constexpr u64 kSourceBytesMax = u64(4) << 20;
constexpr u64 kNone = std::string_view::npos;

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (u64 i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  return out;
}

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)) {
    if (source_.ends_with('\n')) source_.pop_back();
    text_ = source_;
  }

  std::vector<Token> run() {
    while (at_ < text_.size()) lex_text();
    push(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  // Line and column of `at`; asked for in ascending order, nearly always.
  Place place(u64 at) {
    if (at < placed_) placed_ = 0, place_ = {1, 1};
    for (; placed_ < at; ++placed_) {
      if (text_[placed_] == '\n')
        place_ = {place_.line + 1, 1};
      else if ((u8(text_[placed_]) & 0xc0) != 0x80)
        ++place_.column;
    }
    return place_;
  }
  [[noreturn]] void fail(u64 at, std::string message) {
    const Place where = place(at);
    throw TemplateError{std::move(message), where.line, where.column};
  }
  Token& push(TokenKind kind, std::string text = {}) {
    tokens_.push_back({kind, std::move(text), 0, 0, place(at_)});
    return tokens_.back();
  }
  [[nodiscard]] char peek(u64 offset = 0) const {
    return at_ + offset < text_.size() ? text_[at_ + offset] : '\0';
  }
  [[nodiscard]] bool next_is(std::string_view what) const {
    return text_.substr(at_).starts_with(what);
  }
  [[nodiscard]] u64 skip_space(u64 at) const {
    while (at < text_.size()) {
      const Decoded d = decode(text_, at);
      if (!is_space(d.rune)) break;
      at += d.bytes;
    }
    return at;
  }

  // The text before a tag, with what the tag takes away from it.
  void push_data(u64 begin, u64 end, char sign, bool is_variable) {
    std::string_view data = text_.substr(begin, end - begin);
    if (sign == '-') {
      while (!data.empty()) {
        const u64 last = previous_rune(data, data.size());
        if (!is_space(decode(data, last).rune)) break;
        data = data.substr(0, last);
      }
    } else if (sign != '+' && !is_variable) {
      const u64 newline = data.rfind('\n');
      const u64 line = newline == kNone ? 0 : newline + 1;
      if ((line > 0 || line_starting_) && skip_space(begin + line) >= end)
        data = data.substr(0, line);
    }
    if (data.empty()) return;
    at_ = begin;
    push(TokenKind::kData, std::string(data));
  }

  [[nodiscard]] std::optional<u64> match_raw_begin(u64 tag_end) const {
    u64 at = skip_space(tag_end);
    if (!text_.substr(at).starts_with("raw")) return std::nullopt;
    at = skip_space(at + 3);
    if (text_.substr(at).starts_with("-%}")) return skip_space(at + 3);
    if (text_.substr(at).starts_with("%}")) return at + 2;
    return std::nullopt;
  }

  void lex_text() {
    const u64 begin = at_;
    u64 tag = begin;
    for (;; ++tag) {
      tag = text_.find('{', tag);
      if (tag == kNone || tag + 1 >= text_.size()) {
        push(TokenKind::kData, std::string(text_.substr(begin)));
        at_ = text_.size();
        return;
      }
      const char c = text_[tag + 1];
      if (c == '%' || c == '#' || c == '{') break;
    }
    const char type = text_[tag + 1];
    u64 after = tag + 2;
    char sign = after < text_.size() ? text_[after] : '\0';
    if (sign == '-' || sign == '+')
      ++after;
    else
      sign = '\0';
    const auto raw = type == '%' ? match_raw_begin(after) : std::nullopt;
    push_data(begin, tag, sign, type == '{');
    at_ = raw.value_or(after);
    line_starting_ = text_[at_ - 1] == '\n';
    if (raw) return lex_raw(tag);
    if (type == '#') return lex_comment(tag);
    at_ = tag;
    push(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin);
    at_ = after;
    lex_code(type == '{');
  }

  // The end of a comment, block or raw tag at `at`: where what follows begins.
  [[nodiscard]] std::optional<u64> match_end(u64 at, std::string_view end) const {
    const std::string_view rest = text_.substr(at);
    if (rest.starts_with('+') && rest.substr(1).starts_with(end)) return at + 1 + end.size();
    if (rest.starts_with('-') && rest.substr(1).starts_with(end))
      return skip_space(at + 1 + end.size());
    if (!rest.starts_with(end)) return std::nullopt;
    at += end.size();
    return at < text_.size() && text_[at] == '\n' ? at + 1 : at;
  }

  void lex_comment(u64 tag) {
    const u64 end = text_.find("#}", at_);
    if (end == kNone) fail(tag, "Missing end of comment tag");
    const bool signed_end = end > at_ && (text_[end - 1] == '-' || text_[end - 1] == '+');
    at_ = *match_end(signed_end ? end - 1 : end, "#}");
    line_starting_ = text_[at_ - 1] == '\n';
  }

  void lex_raw(u64 tag) {
    const u64 begin = at_;
    for (u64 at = begin; (at = text_.find("{%", at)) != kNone; ++at) {
      u64 after = at + 2;
      const char sign = after < text_.size() ? text_[after] : '\0';
      if (sign == '-' || sign == '+') ++after;
      after = skip_space(after);
      if (!text_.substr(after).starts_with("endraw")) continue;
      const auto end = match_end(skip_space(after + 6), "%}");
      if (!end) continue;
      push_data(begin, at, sign, false);
      at_ = *end;
      line_starting_ = text_[at_ - 1] == '\n';
      return;
    }
    fail(tag, "Missing end of raw directive");
  }

  // Inside {{ }} or {% %}.
  void lex_code(bool variable) {
    std::string open;  // the brackets still to be closed
    while (true) {
      at_ = skip_space(at_);
      if (at_ >= text_.size()) return;
      if (open.empty()) {
        std::optional<u64> end;
        if (!variable)
          end = match_end(at_, "%}");
        else if (next_is("-}}"))
          end = skip_space(at_ + 3);
        else if (next_is("}}"))
          end = at_ + 2;
        if (end) {
          push(variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd);
          at_ = *end;
          line_starting_ = text_[at_ - 1] == '\n';
          return;
        }
      }
      lex_token(open);
    }
  }

  void lex_token(std::string& open) {
    const char c = peek();
    if (is_ascii_digit(c)) return lex_number();
    if (is_word_byte(c) || u8(c) >= 0x80) return lex_name();
    if (c == '\'' || c == '"') return lex_string(c);
    lex_operator(open);
  }

  void lex_name() {
    u64 end = at_;
    while (end < text_.size()) {
      const Decoded d = decode(text_, end);
      if (!(d.rune < 0x80 ? is_word_byte(char(d.rune)) : is_word(d.rune))) break;
      end += d.bytes;
    }
    if (end == at_) fail_char();
    push(TokenKind::kName, std::string(text_.substr(at_, end - at_)));
    at_ = end;
  }

  [[noreturn]] void fail_char() {
    fail(at_, fmt::format("unexpected char '{}'", text_.substr(at_, decode(text_, at_).bytes)));
  }

  // Digits that may have single underscores between them.
  [[nodiscard]] u64 skip_digits(u64 at, std::string_view digits) const {
    const auto is = [&](u64 i) { return i < text_.size() && digits.find(text_[i]) != kNone; };
    while (is(at) || (at < text_.size() && text_[at] == '_' && is(at + 1))) ++at;
    return at;
  }

  [[nodiscard]] u64 match_float() const {
    constexpr std::string_view kDigits = "0123456789";
    if (at_ > 0 && text_[at_ - 1] == '.') return at_;
    u64 end = skip_digits(at_, kDigits);
    bool is_float = false;
    if (end + 1 < text_.size() && text_[end] == '.' && is_ascii_digit(text_[end + 1])) {
      end = skip_digits(end + 1, kDigits);
      is_float = true;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      u64 digits = end + 1;
      if (digits < text_.size() && (text_[digits] == '+' || text_[digits] == '-')) ++digits;
      if (digits < text_.size() && is_ascii_digit(text_[digits]))
        return skip_digits(digits, kDigits);
    }
    return is_float ? end : at_;
  }

  void lex_number() {
    u64 end = match_float();
    const bool is_float = end > at_;
    int base = 10;
    if (!is_float) {
      const char kind = char(peek(1) | 0x20);
      const std::string_view digits = kind == 'b'   ? "01"
                                      : kind == 'o' ? "01234567"
                                      : kind == 'x' ? "0123456789abcdefABCDEF"
                                                    : "";
      const u64 prefixed = skip_digits(at_ + 2, digits);
      if (peek() == '0' && !digits.empty() && prefixed > at_ + 2) {
        base = kind == 'b' ? 2 : kind == 'o' ? 8 : 16;
        end = prefixed;
      } else {
        end = skip_digits(at_, peek() == '0' ? "0" : "0123456789");
      }
    }
    std::string digits(text_.substr(at_, end - at_));
    std::erase(digits, '_');
    Token& token = push(is_float ? TokenKind::kFloat : TokenKind::kInteger);
    const char* first = digits.data() + (base == 10 ? 0 : 2);
    const char* last = digits.data() + digits.size();
    if (is_float) {
      if (std::from_chars(first, last, token.real).ec == std::errc::result_out_of_range) {
        token.real = std::strtod(digits.c_str(), nullptr);  // infinity or zero, as Python
      }
    } else if (std::from_chars(first, last, token.integer, base).ec != std::errc()) {
      fail(at_, "an integer that does not fit 64 bits");
    }
    at_ = end;
  }

  void lex_string(char quote) {
    u64 end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) fail_char();
    push(TokenKind::kString, unescape(text_.substr(at_ + 1, end - at_ - 1)));
    at_ = end + 1;
  }

  // The escapes of Python's string literals, as jinja2 decodes them.
  std::string unescape(std::string_view raw) {
    std::string out;
    for (u64 i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        out += raw[i];
        continue;
      }
      const char c = raw[++i];
      constexpr std::string_view kLetters = "\\'\"abfnrtv", kValues = "\\'\"\a\b\f\n\r\t\v";
      if (c == '\n') continue;
      if (const u64 letter = kLetters.find(c); letter != kNone) {
        out += kValues[letter];
      } else if (c >= '0' && c <= '7') {
        u64 end = i;
        while (end < raw.size() && end < i + 3 && raw[end] >= '0' && raw[end] <= '7') ++end;
        append_rune(raw.substr(i, end - i), 8, out);
        i = end - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const u64 digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        append_rune(raw.substr(i + 1, digits), 16, out, digits);
        i += digits;
      } else if (c == 'N') {
        fail(at_, "character names (\\N) in strings are not supported");
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  void append_rune(std::string_view digits, int base, std::string& out, u64 count = 0) {
    u32 rune = 0;
    const char* last = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), last, rune, base);
    if (parsed.ec != std::errc() || parsed.ptr != last || (count && digits.size() != count)) {
      fail(at_, "truncated escape in a string");
    }
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) {
      fail(at_, "an escape in a string that is no Unicode character");
    }
    char buffer[4];
    out.append(buffer, encode(rune, buffer));
  }

  void lex_operator(std::string& open) {
    constexpr std::string_view kDouble[] = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kSingle = "+-/*%~[](){}><=.:|,;";
    u64 size = 0;
    for (const std::string_view op : kDouble) {
      if (next_is(op)) size = 2;
    }
    if (size == 0 && kSingle.find(peek()) != kNone) size = 1;
    if (size == 0) fail_char();
    const char c = peek();
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) fail(at_, fmt::format("unexpected '{}'", c));
      if (open.back() != c)
        fail(at_, fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      open.pop_back();
    }
    push(TokenKind::kOperator, std::string(text_.substr(at_, size)));
    at_ += size;
  }

  std::string source_;
  std::string_view text_;
  u64 at_ = 0, placed_ = 0;
  Place place_{1, 1};  // of byte placed_
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.size() > kSourceBytesMax) raise("a template of {} bytes is too long", source.size());
  return Lexer(source).run();
}

}  // namespace orrery::text::jinja
