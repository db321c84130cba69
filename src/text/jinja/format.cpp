// "..." % values and "...".format(values). What is formatted keeps its origins; padding and digits
// are the template's.
#include "text/jinja/format.h"

#include <charconv>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/number.h"
#include "text/jinja/print.h"
#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

struct Spec {
  std::string fill = " ";
  Origin fill_origin = kTemplate;
  char align = '\0';  // < > ^ =
  char sign = '-';
  bool alternate = false;
  char grouping = '\0';
  i64 width = 0;
  i64 precision = -1;
  char type = '\0';
};

// The digits of a number in base 2, 8, 10 or 16, without sign.
std::string digits_of(i64 value, char type) {
  const u64 magnitude = value < 0 ? u64(0) - u64(value) : u64(value);
  switch (type) {
    case 'b':
      return fmt::format("{:b}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

std::string group(const std::string& digits, char separator) {
  const u64 whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string out;
  for (u64 i = 0; i < whole; ++i) {
    if (i && (whole - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

// Text, or a number as sign and digits, in its field.
void pad(Builder& out, const MarkedText& body, std::string_view sign, const Spec& spec,
         char otherwise) {
  const i64 used = i64(count_runes(sign) + count_runes(body.bytes));
  const i64 room = std::max<i64>(0, spec.width - used);
  const char align = spec.align ? spec.align : otherwise;
  const i64 before = align == '>' ? room : align == '^' ? room / 2 : 0;
  if (align == '=') {
    out.add(sign).fill(spec.fill, room, spec.fill_origin).add(body, 0, body.bytes.size());
    return;
  }
  out.fill(spec.fill, before, spec.fill_origin).add(sign).add(body, 0, body.bytes.size());
  out.fill(spec.fill, room - before, spec.fill_origin);
}

// Not more than this many digits of width; more would only be memory.
i64 read_count(std::string_view& spec) {
  i64 value = 0;
  u64 digits = 0;
  for (; digits < spec.size() && spec[digits] >= '0' && spec[digits] <= '9'; ++digits) {
    if (value > 100'000'000) raise("Too many decimal digits in format string");
    value = value * 10 + (spec[digits] - '0');
  }
  spec.remove_prefix(digits);
  return value;
}

bool skip(std::string_view& spec, char c) {
  if (!spec.starts_with(c)) return false;
  spec.remove_prefix(1);
  return true;
}

Spec parse_spec(const MarkedText& text) {
  constexpr std::string_view kAligns = "<>^=";
  Spec out;
  out.fill_origin = text.content_origin();
  std::string_view spec = text.bytes;
  const u64 first = spec.empty() ? 0 : decode(spec, 0).bytes;
  if (first < spec.size() && first > 0 && kAligns.find(spec[first]) != std::string_view::npos) {
    out.fill = spec.substr(0, first);
    out.align = spec[first];
    spec.remove_prefix(first + 1);
  } else if (!spec.empty() && kAligns.find(spec[0]) != std::string_view::npos) {
    out.align = spec[0];
    spec.remove_prefix(1);
  }
  if (!spec.empty() && std::string_view("+- ").find(spec[0]) != std::string_view::npos) {
    out.sign = spec[0];
    spec.remove_prefix(1);
  }
  out.alternate = skip(spec, '#');
  if (skip(spec, '0') && !out.align) {
    out.fill = "0";
    out.align = '=';
  }
  out.width = read_count(spec);
  if (spec.starts_with(',') || spec.starts_with('_')) {
    out.grouping = spec[0];
    spec.remove_prefix(1);
  }
  if (skip(spec, '.')) {
    if (spec.empty() || spec[0] < '0' || spec[0] > '9') raise("Format specifier missing precision");
    out.precision = read_count(spec);
  }
  if (!spec.empty()) {
    out.type = spec[0];
    spec.remove_prefix(1);
  }
  if (!spec.empty()) raise("Invalid format specifier");
  return out;
}

void format_string(Builder& out, const String& value, Spec spec) {
  if ((spec.type && spec.type != 's') || spec.align == '=' || spec.sign != '-' || spec.grouping ||
      spec.alternate) {
    raise("a format code that strings do not have");
  }
  MarkedText body;
  const u64 length =
      spec.precision < 0 ? value.length() : std::min(u64(spec.precision), value.length());
  Builder cut(out.heap());
  body = cut.add(value, 0, value.byte_of(length)).take_text();
  pad(out, body, "", spec, '<');
}

std::string_view sign_of(bool negative, char sign) {
  if (negative) return "-";
  return sign == '+' ? "+" : sign == ' ' ? " " : "";
}

void pad_number(Builder& out, std::string digits, std::string sign, Spec spec) {
  if (spec.grouping) digits = group(digits, spec.grouping);
  if (spec.grouping && spec.align == '=' && spec.fill == "0") {
    // Zeros that fill the field are grouped like digits.
    while (i64(digits.size() + sign.size()) < spec.width) {
      std::string plain = "0";
      for (const char c : digits) {
        if (c != spec.grouping) plain += c;
      }
      std::string wider = group(plain, spec.grouping);
      digits = std::move(wider);
    }
  }
  MarkedText body;
  body.bytes = std::move(digits);
  pad(out, body, sign, spec, '>');
}

void format_float(Builder& out, f64 value, const Spec& spec) {
  const f64 magnitude = std::fabs(value);
  std::string digits;
  if (spec.type == '%') {
    digits = format_real(magnitude * 100, 'f', spec.precision, spec.alternate) + "%";
  } else if (spec.type == '\0' && spec.precision < 0) {
    digits = print_real(magnitude);
  } else if (spec.type == '\0') {
    digits = format_real(magnitude, 'g', std::max<i64>(1, spec.precision), spec.alternate);
    const bool plain = digits.find_first_of(".en") == std::string::npos;
    if (plain) digits += i64(digits.size()) < spec.precision ? ".0" : "";
    if (plain && i64(digits.size()) == spec.precision) {
      // Python keeps a digit after the point and goes over to exponents one digit earlier.
      digits = format_real(magnitude, 'e', std::max<i64>(0, spec.precision - 1), spec.alternate);
      const u64 e = digits.find('e');
      u64 last = digits.find_last_not_of('0', e - 1);
      if (digits[last] == '.') --last;
      if (digits.find('.') < e) digits.erase(last + 1, e - last - 1);
    }
  } else if (std::string_view("eEfFgGn").find(spec.type) != std::string_view::npos) {
    digits =
        format_real(magnitude, spec.type == 'n' ? 'g' : spec.type, spec.precision, spec.alternate);
  } else {
    raise("Unknown format code '{}' for object of type 'float'", spec.type);
  }
  pad_number(out, std::move(digits), std::string(sign_of(std::signbit(value), spec.sign)), spec);
}

void format_integer(Builder& out, i64 value, const Spec& spec) {
  if (spec.type && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    return format_float(out, f64(value), spec);
  }
  if (spec.precision >= 0) raise("Precision not allowed in integer format specifier");
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10ffff) raise("%c arg not in range(0x110000)");
    Builder rune(out.heap());
    return pad(out, rune.add_rune(u32(value)).take_text(), "", spec, '<');
  }
  if (spec.type && std::string_view("bodxXn").find(spec.type) == std::string_view::npos) {
    raise("Unknown format code '{}' for object of type 'int'", spec.type);
  }
  std::string sign(sign_of(value < 0, spec.sign));
  if (spec.alternate && spec.type != 'd' && spec.type != 'n' && spec.type) sign += {'0', spec.type};
  pad_number(out, digits_of(value, spec.type), std::move(sign), spec);
}

// One conversion of "..." % values.
struct Conversion {
  Spec spec;
  bool zero = false, left = false;
};

void pad_percent(Builder& out, const MarkedText& body, std::string_view sign, const Conversion& c) {
  Spec spec = c.spec;
  spec.align = c.left ? '<' : c.zero ? '=' : '>';
  spec.fill = c.zero && !c.left ? "0" : " ";
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

class BraceFormat {
 public:
  BraceFormat(const String& format, const Arguments& arguments)
      : heap_(format.heap()), format_(format), arguments_(arguments) {}

  Value run() {
    Builder out(heap_);
    expand(out, 0, format_.bytes().size(), 2);
    auto result = out.take();
    result->markup = format_.markup;
    return result;
  }

 private:
  // The field that begins after a "{" at `begin`: where its "}" is.
  [[nodiscard]] u64 field_end(u64 begin, u64 end) const {
    u32 open = 1;
    for (u64 at = begin; at < end; ++at) {
      if (format_.bytes()[at] == '{') ++open;
      if (format_.bytes()[at] == '}' && --open == 0) return at;
    }
    raise("expected '}}' before end of string");
  }

  void expand(Builder& out, u64 begin, u64 end, u32 depth) {
    if (depth == 0) raise("Max string recursion exceeded");
    const std::string_view text = format_.bytes();
    for (u64 at = begin; at < end;) {
      const char c = text[at];
      if (c != '{' && c != '}') {
        const u64 next = std::min(text.find_first_of("{}", at), end);
        out.add(format_, at, next);
        at = next;
        continue;
      }
      if (at + 1 < end && text[at + 1] == c) {
        out.add(format_, at, at + 1);
        at += 2;
        continue;
      }
      if (c == '}') raise("Single '}}' encountered in format string");
      const u64 close = field_end(at + 1, end);
      field(out, at + 1, close, depth);
      at = close + 1;
    }
  }

  void field(Builder& out, u64 begin, u64 end, u32 depth) {
    const std::string_view text = format_.bytes();
    u64 name_end = begin;
    for (bool inside = false; name_end < end; ++name_end) {
      const char c = text[name_end];
      if (c == '[') inside = true;
      if (c == ']') inside = false;
      if (!inside && (c == '!' || c == ':')) break;
    }
    Value value = resolve(text.substr(begin, name_end - begin));
    u64 at = name_end;
    if (at < end && text[at] == '!') {
      const char how = at + 1 < end ? text[at + 1] : '\0';
      if (how != 'r' && how != 's' && how != 'a') raise("Unknown conversion specifier");
      Builder converted(heap_);
      if (how == 's')
        print(converted, value);
      else
        print_repr(converted, value);
      value = converted.take();
      at += 2;
      if (at < end && text[at] != ':') raise("expected ':' after conversion specifier");
    }
    Builder spec(heap_);
    if (at < end) expand(spec, at + 1, end, depth - 1);
    if (format_.markup && spec.size() == 0)
      print_escaped(out, value);
    else
      format_value(out, value, spec.take_text());
  }

  Value first(std::string_view name) {
    if (name.empty()) {
      if (numbering_ == Numbering::kManual) raise("cannot switch from manual field specification");
      numbering_ = Numbering::kAutomatic;
      return positional(next_++);
    }
    u64 index = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) {
      if (numbering_ == Numbering::kAutomatic)
        raise("cannot switch from automatic field numbering");
      numbering_ = Numbering::kManual;
      return positional(index);
    }
    for (const auto& [key, value] : arguments_.keywords) {
      if (key->bytes() == name) return value;
    }
    raise("KeyError: '{}'", name);
  }
  Value positional(u64 index) {
    if (index >= arguments_.positional.size()) raise("Replacement index {} out of range", index);
    return arguments_.positional[index];
  }

  Value resolve(std::string_view name) {
    const u64 end = std::min(name.find_first_of(".["), name.size());
    Value value = first(name.substr(0, end));
    std::string_view rest = name.substr(end);
    while (!rest.empty()) {
      const bool is_attribute = rest[0] == '.';
      const u64 stop =
          is_attribute ? std::min(rest.find_first_of(".[", 1), rest.size()) : rest.find(']');
      if ((!is_attribute && rest[0] != '[') || stop == std::string_view::npos || stop == 1) {
        raise("Empty attribute in format string");
      }
      const std::string_view key = rest.substr(1, stop - 1);
      u64 index = 0;
      const auto parsed = std::from_chars(key.data(), key.data() + key.size(), index);
      const bool digits = parsed.ec == std::errc() && parsed.ptr == key.data() + key.size();
      if (is_attribute)
        value = get_attribute(heap_, value, key);
      else
        value =
            get_item(heap_, value, digits ? Value::integer(i64(index)) : jinja::text(heap_, key));
      rest.remove_prefix(is_attribute ? stop : stop + 1);
    }
    return value;
  }

  enum class Numbering : u8 { kUnknown, kAutomatic, kManual };
  Heap& heap_;
  const String& format_;
  const Arguments& arguments_;
  Numbering numbering_ = Numbering::kUnknown;
  u64 next_ = 0;
};

}  // namespace

void format_value(Builder& out, const Value& value, const MarkedText& spec) {
  if (spec.bytes.empty()) return print(out, value);
  if (value.is_string()) return format_string(out, value.string(), parse_spec(spec));
  if (value.is_integer()) return format_integer(out, value.as_integer(), parse_spec(spec));
  if (value.is(Kind::kFloat)) return format_float(out, value.as_real(), parse_spec(spec));
  raise("unsupported format string passed to {}.__format__", type_name(value));
}

Value format_percent(const String& format, const Value& values) {
  return PercentFormat(format, values).run();
}

Value format_braces(const String& format, const Arguments& arguments) {
  return BraceFormat(format, arguments).run();
}

}  // namespace orrery::text::jinja
