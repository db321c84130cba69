// "...".format(values). What is formatted keeps its origins; padding and digits are the template's.
#include <algorithm>
#include <charconv>

#include "text/jinja/builtins.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {
namespace {

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

Value format_braces(const String& format, const Arguments& arguments) {
  return BraceFormat(format, arguments).run();
}

}  // namespace orrery::text::jinja
