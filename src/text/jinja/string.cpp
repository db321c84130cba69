// String and Builder: runs of origins, and growth that is charged before it happens.
#include "text/jinja/string.h"

#include <algorithm>

#include "text/jinja/unicode.h"

namespace orrery::text::jinja {
namespace {

u64 bytes_held(const MarkedText& text) {
  return text.bytes.capacity() + text.runs.capacity() * sizeof(Run);
}

}  // namespace

void MarkedText::mark(u64 size, Origin origin) {
  if (size == 0) return;
  const u32 end = u32(bytes.size()), begin = end - u32(size);
  if (runs.empty()) {
    if (origin == kTemplate) return;
    if (begin > 0) runs.push_back({begin, kTemplate});
  }
  if (!runs.empty() && runs.back().origin == origin) runs.back().end = end;
  else runs.push_back({end, origin});
}

Origin MarkedText::origin_at(u64 position) const {
  const auto run = std::upper_bound(runs.begin(), runs.end(), position,
                                    [](u64 at, const Run& r) { return at < r.end; });
  return run == runs.end() ? kTemplate : run->origin;
}

String::String(Heap& heap, std::string_view bytes, Origin origin) : Object(heap, bytes.size()) {
  text_.bytes = bytes;
  text_.mark(bytes.size(), origin);
}

String::String(Heap& heap, MarkedText text) : Object(heap, bytes_held(text)), text_(std::move(text)) {}

u64 String::length() const {
  if (length_ == ~u64(0)) length_ = count_runes(text_.bytes);
  return length_;
}

u64 String::byte_of(u64 index) const {
  if (is_ascii()) return index;
  heap().step_bytes(text_.bytes.size());
  u64 at = 0;
  for (; index > 0 && at < text_.bytes.size(); --index) at += decode(text_.bytes, at).bytes;
  return at;
}

void Builder::grow(u64 bytes) {
  const u64 needed = text_.bytes.size() + bytes;
  if (needed > ~u32(0)) raise("a string of the template grows too long");
  heap_.step_bytes(bytes);
  if (needed > text_.bytes.capacity()) {
    const u64 capacity = std::max(needed, text_.bytes.capacity() * 2);
    heap_.charge(capacity);
    text_.bytes.reserve(capacity);
    charged_ += capacity;
  }
  if (text_.runs.size() == text_.runs.capacity()) {
    const u64 capacity = std::max<u64>(4, text_.runs.capacity() * 2);
    heap_.charge(capacity * sizeof(Run));
    text_.runs.reserve(capacity);
    charged_ += capacity * sizeof(Run);
  }
}

Builder& Builder::add(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return *this;
  grow(bytes.size());
  text_.bytes += bytes;
  text_.mark(bytes.size(), origin);
  return *this;
}

Builder& Builder::add(const MarkedText& text, u64 begin, u64 end) {
  const std::string_view bytes = text.bytes;
  auto run = std::upper_bound(text.runs.begin(), text.runs.end(), begin,
                              [](u64 at, const Run& r) { return at < r.end; });
  while (begin < end) {
    const u64 stop = run == text.runs.end() ? end : std::min<u64>(end, run->end);
    add(bytes.substr(begin, stop - begin), run == text.runs.end() ? kTemplate : run->origin);
    begin = stop;
    if (run != text.runs.end()) ++run;
  }
  return *this;
}

Builder& Builder::add_rune(u32 rune, Origin origin) {
  char buffer[4];
  return add({buffer, encode(rune, buffer)}, origin);
}

Builder& Builder::repeat(const String& string, i64 count) {
  if (count <= 0 || string.bytes().empty()) return *this;
  const auto total = checked_mul(u64(count), string.bytes().size());
  if (!total || *total > heap_.limits().memory_bytes_max) raise("a repeated string is too long");
  for (i64 i = 0; i < count; ++i) add(string);
  return *this;
}

Builder& Builder::fill(std::string_view bytes, i64 count, Origin origin) {
  if (count > 0 && u64(count) > heap_.limits().memory_bytes_max) raise("a padded string is too long");
  for (i64 i = 0; i < count; ++i) add(bytes, origin);
  return *this;
}

MarkedText Builder::take_text() {
  heap_.release(std::exchange(charged_, 0));
  return std::exchange(text_, {});
}

Ref<String> Builder::take() {
  MarkedText text = take_text();
  if (text.runs.empty()) text.runs.shrink_to_fit();
  if (text.bytes.capacity() > 2 * text.bytes.size()) text.bytes.shrink_to_fit();
  return make<String>(heap_, std::move(text));
}

}  // namespace orrery::text::jinja
