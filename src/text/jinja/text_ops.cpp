// Operations on strings that filters and methods share.
#include "text/jinja/text_ops.h"

#include "text/jinja/search.h"

namespace orrery::text::jinja {
namespace {

bool stripped(u32 rune, std::string_view text, u64 at, u64 bytes, const std::string* chars) {
  if (!chars) return is_space(rune);
  const std::string_view character = text.substr(at, bytes);
  for (u64 i = 0; i < chars->size();) {
    const u32 size = decode(*chars, i).bytes;
    if (std::string_view(*chars).substr(i, size) == character) return true;
    i += size;
  }
  return false;
}

// A capital sigma is final after a letter when no letter follows (case-ignorables left out).
bool is_final_sigma(std::string_view text, Span within, u64 at) {
  u64 before = at;
  bool letter = false;
  while (before > within.begin) {
    before = previous_rune(text, before);
    const u32 rune = decode(text, before).rune;
    if (is_case_ignorable(rune)) continue;
    letter = is_cased(rune);
    break;
  }
  if (!letter) return false;
  for (u64 after = at + 2; after < within.end; after += decode(text, after).bytes) {
    const u32 rune = decode(text, after).rune;
    if (!is_case_ignorable(rune)) return !is_cased(rune);
  }
  return true;
}

}  // namespace

Span strip(std::string_view text, const std::string* chars, bool left, bool right) {
  Span span{0, text.size()};
  while (left && span.begin < span.end) {
    const Decoded d = decode(text, span.begin);
    if (!stripped(d.rune, text, span.begin, d.bytes, chars)) break;
    span.begin += d.bytes;
  }
  while (right && span.begin < span.end) {
    const u64 last = previous_rune(text, span.end);
    if (!stripped(decode(text, last).rune, text, last, span.end - last, chars)) break;
    span.end = last;
  }
  return span;
}

std::vector<Span> split_lines(Heap& heap, std::string_view text, bool keep_ends) {
  heap.step_bytes(text.size());
  std::vector<Span> lines;
  u64 begin = 0;
  for (u64 at = 0; at < text.size();) {
    const Decoded d = decode(text, at);
    const u64 end = at;
    at += d.bytes;
    if (!is_line_break(d.rune)) continue;
    if (d.rune == '\r' && at < text.size() && text[at] == '\n') ++at;
    heap.step();
    lines.push_back({begin, keep_ends ? at : end});
    begin = at;
  }
  if (begin < text.size()) lines.push_back({begin, text.size()});
  return lines;
}

std::vector<Span> split_words(Heap& heap, std::string_view text, i64 splits) {
  heap.step_bytes(text.size());
  std::vector<Span> words;
  u64 at = 0;
  while (true) {
    while (at < text.size() && is_space(decode(text, at).rune)) at += decode(text, at).bytes;
    if (at >= text.size()) return words;
    heap.step();
    if (splits >= 0 && i64(words.size()) >= splits) {
      words.push_back({at, text.size()});
      return words;
    }
    const u64 begin = at;
    while (at < text.size() && !is_space(decode(text, at).rune)) at += decode(text, at).bytes;
    words.push_back({begin, at});
  }
}

std::vector<Span> split_words_right(Heap& heap, std::string_view text, i64 splits) {
  heap.step_bytes(text.size());
  std::vector<Span> words;
  u64 end = text.size();
  while (true) {
    while (end > 0 && is_space(decode(text, previous_rune(text, end)).rune))
      end = previous_rune(text, end);
    if (end == 0) break;
    heap.step();
    if (splits >= 0 && i64(words.size()) >= splits) {
      words.push_back({0, end});
      break;
    }
    u64 begin = end;
    while (begin > 0 && !is_space(decode(text, previous_rune(text, begin)).rune)) {
      begin = previous_rune(text, begin);
    }
    words.push_back({begin, end});
    end = begin;
  }
  return {words.rbegin(), words.rend()};
}

Value replace(const String& text, const String& from, const String& to, i64 count) {
  return built(text, [&](Builder& out) {
    const std::string_view bytes = text.bytes();
    u64 done = 0;
    for (u64 at = 0; count != 0; --count) {
      if (from.bytes().empty()) {
        if (at > bytes.size()) break;
        out.add(text, done, at).add(to);
        done = at;
        at = at == bytes.size() ? at + 1 : at + decode(bytes, at).bytes;
        continue;
      }
      const u64 found = find_bytes(bytes, from.bytes(), at);
      if (found == std::string_view::npos) break;
      out.heap().step();
      out.add(text, done, found).add(to);
      done = at = found + from.bytes().size();
    }
    out.add(text, done, bytes.size());
  });
}

void add_cased(Builder& out, const String& text, Span part, Case to, Span context) {
  const std::string_view bytes = text.bytes();
  std::string mapped;
  for (u64 at = part.begin; at < part.end;) {
    const Decoded d = decode(bytes, at);
    mapped.clear();
    constexpr u32 kCapitalSigma = 0x3a3;
    if (d.rune == kCapitalSigma && to == Case::kLower && is_final_sigma(bytes, context, at))
      mapped = "ς";
    else
      map_case(d.rune, to, mapped);
    out.add(mapped, text.text().origin_at(at));
    at += d.bytes;
  }
}

Value cased(const String& text, Case to) {
  const Span all{0, text.bytes().size()};
  return built(text, [&](Builder& out) { add_cased(out, text, all, to, all); });
}

Value capitalized(const String& text) {
  return built(text, [&](Builder& out) {
    if (text.bytes().empty()) return;
    const u64 first = decode(text.bytes(), 0).bytes;
    const Span all{0, text.bytes().size()};
    add_cased(out, text, {0, first}, Case::kTitle, all);
    add_cased(out, text, {first, all.end}, Case::kLower, all);
  });
}

bool is_all_lower(std::string_view text) {
  bool found = false;
  for (u64 at = 0; at < text.size(); at += decode(text, at).bytes) {
    const u32 rune = decode(text, at).rune;
    if (is_upper(rune) || is_title(rune)) return false;
    found = found || is_lower(rune);
  }
  return found;
}

bool is_all_upper(std::string_view text) {
  bool found = false;
  for (u64 at = 0; at < text.size(); at += decode(text, at).bytes) {
    const u32 rune = decode(text, at).rune;
    if (is_lower(rune) || is_title(rune)) return false;
    found = found || is_upper(rune);
  }
  return found;
}

Value padded(const String& text, i64 width, const String& fill, Pad where) {
  if (fill.length() != 1) raise("The fill character must be exactly one character long");
  const i64 room = std::max<i64>(0, width - i64(text.length()));
  const i64 left = where == Pad::kLeft    ? room
                   : where == Pad::kRight ? 0
                                          : room / 2 + (room & width & 1);
  return built(text, [&](Builder& out) {
    out.fill(fill.bytes(), left, fill.text().origin_at(0)).add(text);
    out.fill(fill.bytes(), room - left, fill.text().origin_at(0));
  });
}

}  // namespace orrery::text::jinja
