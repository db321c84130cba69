// "..." % values. What is formatted keeps its origins; padding and digits are the template's.
#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/number.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {
namespace {

// One conversion of "..." % values.
struct Conversion {
  FormatSpec spec;
  bool zero = false, left = false;
};

void pad_percent(Builder& out, const MarkedText& body, std::string_view sign, const Conversion& c) {
  FormatSpec spec = c.spec;
  spec.align = c.left ? '<' : c.zero ? '=' : '>';
  spec.fill.assign(1, c.zero && !c.left ? '0' : ' ');
  pad(out, body, sign, spec, '>');
}

void percent_text(Builder& out, const Value& value, Conversion c, bool markup) {
  Builder whole(out.heap());
  if (c.spec.type == 's' && markup)
    print_escaped(whole, value);
  else if (c.spec.type == 's')
    print(whole, value);
  else
    print_repr(whole, value);
  const auto string = whole.take();
  c.zero = false;
  Builder cut(out.heap());
  const u64 length =
      c.spec.precision < 0 ? string->length() : std::min(u64(c.spec.precision), string->length());
  pad_percent(out, cut.add(*string, 0, string->byte_of(length)).take_text(), "", c);
}

void percent_rune(Builder& out, const Value& value, Conversion c) {
  Builder rune(out.heap());
  c.zero = false;
  if (value.is_integer()) {
    if (value.as_integer() < 0 || value.as_integer() > 0x10ffff)
      raise("%c arg not in range(0x110000)");
    rune.add_rune(u32(value.as_integer()));
  } else if (value.is_string() && value.string().length() == 1) {
    rune.add(value.string());
  } else {
    raise("%c requires int or char");
  }
  pad_percent(out, rune.take_text(), "", c);
}

void percent_number(Builder& out, const Value& value, const Conversion& c) {
  value.require_defined();
  const char type = c.spec.type;
  const bool is_real = std::string_view("eEfFgG").find(type) != std::string_view::npos;
  const bool is_decimal = type == 'd' || type == 'i' || type == 'u';
  if (!value.is_number() || (!is_real && !is_decimal && !value.is_integer())) {
    raise("%{} format: a number is required, not {}", type, type_name(value));
  }
  MarkedText body;
  if (is_real) {
    body.bytes = format_real(std::fabs(value.as_real()), type, c.spec.precision, c.spec.alternate);
    const bool negative_number = std::signbit(value.as_real());
    return pad_percent(out, body, sign_of(negative_number, c.spec.sign), c);
  }
  const auto whole = value.is_integer() ? value.as_integer() : truncate_real(value.as_real());
  if (!whole) raise("cannot convert float infinity or NaN to integer");
  std::string sign(sign_of(*whole < 0, c.spec.sign));
  if (c.spec.alternate && !is_decimal) sign += {'0', type};
  body.bytes = digits_of(*whole, type);
  if (c.spec.precision > 4096) raise("a precision of {} is too large", c.spec.precision);
  if (i64(body.bytes.size()) < c.spec.precision) {
    body.bytes.insert(0, u64(c.spec.precision) - body.bytes.size(), '0');
  }
  pad_percent(out, body, sign, c);
}

class PercentFormat {
 public:
  PercentFormat(const String& format, const Value& values)
      : format_(format), values_(values), out_(format.heap()) {}

  Value run() {
    const std::string_view text = format_.bytes();
    while (at_ < text.size()) {
      const u64 percent = std::min(text.find('%', at_), text.size());
      out_.add(format_, at_, percent);
      at_ = percent;
      if (at_ < text.size()) convert();
    }
    const bool all = values_.is(Kind::kTuple) ? used_ >= values_.sequence().items.size()
                                              : used_ > 0 || is_mapping();
    if (!all) raise("not all arguments converted during string formatting");
    auto result = out_.take();
    result->markup = format_.markup;
    return result;
  }

 private:
  [[nodiscard]] bool is_mapping() const {
    return values_.is(Kind::kDict) || values_.is(Kind::kList) || values_.is(Kind::kRange) ||
           values_.is_undefined();
  }
  char next() {
    if (at_ >= format_.bytes().size()) raise("incomplete format");
    return format_.bytes()[at_++];
  }
  Value argument() {
    if (named_) return *named_;
    if (values_.is(Kind::kTuple)) {
      if (used_ >= values_.sequence().items.size()) raise("not enough arguments for format string");
      return values_.sequence().items[used_++];
    }
    if (used_++ > 0) raise("not enough arguments for format string");
    return values_;
  }
  i64 count(char& c) {
    if (c == '*') {
      const i64 value = require_integer(argument());
      c = next();
      return value;
    }
    i64 value = 0;
    for (; c >= '0' && c <= '9'; c = next()) {
      if (value > 100'000'000) raise("width too big");
      value = value * 10 + (c - '0');
    }
    return value;
  }

  void convert() {
    ++at_;
    Conversion conversion;
    named_.reset();
    char c = next();
    if (c == '(') {
      const u64 begin = at_;
      for (u32 open = 1; open > 0;) {
        c = next();
        open += c == '(' ? 1 : c == ')' ? -1 : 0;
      }
      if (!values_.is(Kind::kDict)) raise("format requires a mapping");
      const Value key = slice(format_, begin, at_ - 1);
      const Value* found = values_.dict().find(key);
      if (!found) raise("KeyError: '{}'", key.bytes());
      named_ = *found;
      used_ = 1;
      c = next();
    }
    for (; std::string_view("-+ #0").find(c) != std::string_view::npos; c = next()) {
      if (c == '-')
        conversion.left = true;
      else if (c == '0')
        conversion.zero = true;
      else if (c == '#')
        conversion.spec.alternate = true;
      else if (c == '+' || conversion.spec.sign != '+')
        conversion.spec.sign = c;
    }
    conversion.spec.width = count(c);
    if (conversion.spec.width < 0) {
      conversion.left = true;
      conversion.spec.width = -conversion.spec.width;
    }
    if (c == '.') {
      c = next();
      conversion.spec.precision = std::max<i64>(0, count(c));
    }
    if (c == 'h' || c == 'l' || c == 'L') c = next();
    conversion.spec.type = c;
    write(conversion);
  }

  void write(const Conversion& c) {
    const char type = c.spec.type;
    if (type == '%')
      out_.add("%");
    else if (type == 's' || type == 'r' || type == 'a')
      percent_text(out_, argument(), c, format_.markup);
    else if (type == 'c')
      percent_rune(out_, argument(), c);
    else if (std::string_view("diuoxXeEfFgG").find(type) != std::string_view::npos) {
      percent_number(out_, argument(), c);
    } else {
      raise("unsupported format character '{}'", type);
    }
  }

  const String& format_;
  const Value& values_;
  Builder out_;
  u64 at_ = 0, used_ = 0;
  std::optional<Value> named_;
};

}  // namespace

Value format_percent(const String& format, const Value& values) {
  return PercentFormat(format, values).run();
}

}  // namespace orrery::text::jinja
