// String: an immutable text that knows where each of its bytes came from.
//
// Text from messages, tools and documents must never become a control token of the model, text of
// the template may. So every string carries runs of origins, and whatever is done to it
// (concatenation, slices, strip, replace, upper, ...) goes through a Builder, which carries them
// along. Lengths and indexes are in code points, as in Python; a byte that is no UTF-8 counts as
// one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/heap.h"

namespace orrery::text::jinja {

using Origin = i32;                      // the index of a message, or
inline constexpr Origin kTemplate = -1;  // the template itself and trusted variables (bos_token)
inline constexpr Origin kOutside = -2;   // other content: tools, documents

struct Run {
  u32 end;  // the byte after its last
  Origin origin;
};

struct MarkedText {
  std::string bytes;
  std::vector<Run> runs;  // ascending; none: all of it is kTemplate

  // `size` more bytes of `origin` have been appended.
  void mark(u64 size, Origin origin);
  [[nodiscard]] Origin origin_at(u64 position) const;
  // Where its first content is from; kTemplate when there is none. For what is made of a text as a
  // whole (a fill character, a date): it is content if any of the text is.
  [[nodiscard]] Origin content_origin() const;
};

class String final : public Object {
 public:
  String(Heap& heap, std::string_view bytes, Origin origin = kTemplate);
  String(Heap& heap, MarkedText text);

  [[nodiscard]] std::string_view bytes() const { return text_.bytes; }
  [[nodiscard]] const MarkedText& text() const { return text_; }
  [[nodiscard]] u64 length() const;  // in code points
  [[nodiscard]] bool is_ascii() const { return length() == text_.bytes.size(); }
  // The byte where code point `index` (at most length()) begins.
  [[nodiscard]] u64 byte_of(u64 index) const;

  bool markup = false;  // HTML that must not be escaped again (the filters safe and escape)

 private:
  MarkedText text_;
  mutable u64 length_ = ~u64(0);
};

class Builder {
 public:
  explicit Builder(Heap& heap) : heap_(heap) {}
  ~Builder() { heap_.release(charged_bytes_ + charged_runs_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Builder& add(std::string_view bytes, Origin origin = kTemplate);
  Builder& add(const MarkedText& text, u64 begin, u64 end);
  Builder& add(const String& string) { return add(string.text(), 0, string.bytes().size()); }
  Builder& add(const String& string, u64 begin, u64 end) { return add(string.text(), begin, end); }
  // One code point.
  Builder& add_rune(u32 rune, Origin origin = kTemplate);
  Builder& repeat(const String& string, i64 count);
  Builder& fill(std::string_view bytes, i64 count, Origin origin = kTemplate);

  [[nodiscard]] u64 size() const { return text_.bytes.size(); }
  [[nodiscard]] const MarkedText& text() const { return text_; }
  [[nodiscard]] Heap& heap() const { return heap_; }
  [[nodiscard]] Ref<String> take();
  [[nodiscard]] MarkedText take_text();

 private:
  void grow(u64 bytes);
  Heap& heap_;
  MarkedText text_;
  u64 charged_bytes_ = 0, charged_runs_ = 0;
};

}  // namespace orrery::text::jinja
