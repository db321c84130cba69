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
  if (!runs.empty() && runs.back().origin == origin)
    runs.back().end = end;
  else
    runs.push_back({end, origin});
}

Origin MarkedText::origin_at(u64 position) const {
  const auto run = std::upper_bound(runs.begin(), runs.end(), position,
                                    [](u64 at, const Run& r) { return at < r.end; });
  return run == runs.end() ? kTemplate : run->origin;
}

Origin MarkedText::content_origin() const {
  const auto run =
      std::find_if(runs.begin(), runs.end(), [](const Run& r) { return r.origin != kTemplate; });
  return run == runs.end() ? kTemplate : run->origin;
}

String::String(Heap& heap, std::string_view bytes, Origin origin) : Object(heap, bytes.size()) {
  text_.bytes = bytes;
  text_.mark(bytes.size(), origin);
}

String::String(Heap& heap, MarkedText text)
    : Object(heap, bytes_held(text)), text_(std::move(text)) {}

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
  // While a buffer moves there are two of them: the new one is charged before the old one is
  // released.
  const auto widen = [this](auto& buffer, u64 size, u64 item_bytes, u64& charged) {
    const u64 capacity = size + size / 2;
    heap_.charge(capacity * item_bytes);
    buffer.reserve(capacity);
    heap_.release(std::exchange(charged, capacity * item_bytes));
  };
  const u64 runs = text_.runs.size();
  if (needed > text_.bytes.capacity()) widen(text_.bytes, needed, 1, charged_bytes_);
  if (runs == text_.runs.capacity()) widen(text_.runs, runs + 4, sizeof(Run), charged_runs_);
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
  constexpr u64 kPiece = 4096;  // short strings are put together to pieces first
  const u64 size = string.bytes().size();
  if (count <= 0 || size == 0) return *this;
  const auto total = checked_mul(u64(count), size);
  if (!total || *total > heap_.limits().memory_bytes_max) raise("a repeated string is too long");
  if (const i64 many = i64(kPiece / size); many > 1 && count > many) {
    Builder piece(heap_);
    const auto whole = piece.repeat(string, many).take();
    for (; count >= many; count -= many) add(*whole);
  }
  for (i64 i = 0; i < count; ++i) add(string);
  return *this;
}

Builder& Builder::fill(std::string_view bytes, i64 count, Origin origin) {
  return count <= 0 ? *this : repeat(*make<String>(heap_, bytes, origin), count);
}

MarkedText Builder::take_text() {
  heap_.release(std::exchange(charged_bytes_, 0) + std::exchange(charged_runs_, 0));
  return std::exchange(text_, {});
}

Ref<String> Builder::take() {
  MarkedText text = take_text();
  if (text.runs.empty()) text.runs.shrink_to_fit();
  if (text.bytes.capacity() > 2 * text.bytes.size()) text.bytes.shrink_to_fit();
  return make<String>(heap_, std::move(text));
}

}  // namespace orrery::text::jinja
