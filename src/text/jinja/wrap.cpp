// Wrapping as textwrap: the line in chunks (words, parts of hyphenated words, white space), then
// the chunks into lines. Chunks stay next to each other, so a wrapped line is one span of the text.
#include "text/jinja/wrap.h"

#include <algorithm>

namespace orrery::text::jinja {
namespace {

// The line's code points with their byte offsets; textwrap's own white space is ASCII only.
struct Runes {
  std::vector<u32> rune;
  std::vector<u64> begin;  // one more than runes: the end

  [[nodiscard]] bool space(u64 i) const {
    return i < rune.size() && (rune[i] == ' ' || (rune[i] >= 9 && rune[i] <= 13));
  }
  [[nodiscard]] bool word(u64 i) const { return i < rune.size() && is_word(rune[i]); }
  [[nodiscard]] bool letter(u64 i) const {
    return i < rune.size() && is_word(rune[i]) && !is_decimal(rune[i]);
  }
  [[nodiscard]] bool hyphen(u64 i) const { return i < rune.size() && rune[i] == '-'; }
  // A letter, digit or one of the marks that stay with a word.
  [[nodiscard]] bool word_or_mark(u64 i) const {
    constexpr std::u32string_view kMarks = U"!\"'&.,?";
    return word(i) ||
           (i < rune.size() && kMarks.find(char32_t(rune[i])) != std::u32string_view::npos);
  }
  // Hyphens at `i` that are a dash between two words: where they end.
  [[nodiscard]] std::optional<u64> dash(u64 i) const {
    u64 end = i;
    while (hyphen(end)) ++end;
    if (end < i + 2 || i == 0 || !word_or_mark(i - 1) || !word(end)) return std::nullopt;
    return end;
  }
  // A hyphen at `i` inside a word that may be broken after it.
  [[nodiscard]] bool breakable(u64 i, u64 start) const {
    if (!hyphen(i) || i == start) return false;
    const bool two_letters = i >= 2 && letter(i - 1) && letter(i - 2);
    const bool after_hyphen = i >= 3 && word_or_mark(i - 1) && hyphen(i - 2) && letter(i - 3);
    const bool hyphenated = i >= 2 && letter(i - 2) && hyphen(i - 1);
    if (!two_letters && !after_hyphen && !hyphenated) return false;
    return letter(i + 1) && (letter(i + 2) || (hyphen(i + 2) && letter(i + 3)));
  }
};

u64 chunk_end(const Runes& runes, u64 start, bool break_on_hyphens) {
  u64 end = start;
  if (runes.space(start)) {
    while (runes.space(end)) ++end;
    return end;
  }
  const u64 size = runes.rune.size();
  if (!break_on_hyphens) {
    while (end < size && !runes.space(end)) ++end;
    return end;
  }
  if (const auto dash = runes.dash(start)) return *dash;
  for (end = start + 1; end < size && !runes.space(end); ++end) {
    if (runes.breakable(end, start)) return end + 1;
    if (runes.dash(end)) return end;
  }
  return end;
}

struct Chunk {
  u64 begin, end;
  [[nodiscard]] i64 size() const { return i64(end - begin); }
};

// Where a chunk that is longer than a line is broken.
u64 break_long(const Runes& runes, Chunk chunk, i64 room, bool on_hyphens) {
  u64 end = chunk.begin + u64(std::max<i64>(room, 0));
  if (!on_hyphens || chunk.size() <= room) return std::min(end, chunk.end);
  for (u64 hyphen = end; hyphen-- > chunk.begin;) {
    if (!runes.hyphen(hyphen)) continue;
    bool other = false;
    for (u64 i = chunk.begin; i < hyphen; ++i) other = other || !runes.hyphen(i);
    return hyphen > chunk.begin && other ? hyphen + 1 : end;
  }
  return end;
}

}  // namespace

std::vector<Span> wrap(Heap& heap, std::string_view text, Span line, const WrapStyle& style) {
  if (style.width <= 0) raise("invalid width {} (must be > 0)", style.width);
  Runes runes;
  heap.step(line.end - line.begin);
  for (u64 at = line.begin; at < line.end;) {
    const Decoded d = decode(text, at);
    runes.rune.push_back(d.rune);
    runes.begin.push_back(at);
    at += d.bytes;
  }
  runes.begin.push_back(line.end);
  std::vector<Chunk> chunks;  // the next one last
  for (u64 at = 0; at < runes.rune.size();) {
    const u64 end = chunk_end(runes, at, style.break_on_hyphens);
    chunks.push_back({at, end});
    at = end;
  }
  std::reverse(chunks.begin(), chunks.end());

  const auto is_blank = [&](Chunk chunk) {
    for (u64 i = chunk.begin; i < chunk.end; ++i) {
      if (!is_space(runes.rune[i])) return false;
    }
    return true;
  };
  std::vector<Span> lines;
  while (!chunks.empty()) {
    if (!lines.empty() && is_blank(chunks.back())) chunks.pop_back();
    std::vector<Chunk> current;
    i64 used = 0;
    while (!chunks.empty() && used + chunks.back().size() <= style.width) {
      used += chunks.back().size();
      current.push_back(chunks.back());
      chunks.pop_back();
    }
    if (!chunks.empty() && chunks.back().size() > style.width) {
      if (style.break_long_words) {
        const u64 end =
            break_long(runes, chunks.back(), style.width - used, style.break_on_hyphens);
        current.push_back({chunks.back().begin, end});
        chunks.back().begin = end;
        heap.step(u64(style.width));
      } else if (current.empty()) {
        current.push_back(chunks.back());
        chunks.pop_back();
      }
    }
    if (!current.empty() && is_blank(current.back())) current.pop_back();
    if (!current.empty()) {
      lines.push_back({runes.begin[current.front().begin], runes.begin[current.back().end]});
    }
  }
  return lines;
}

}  // namespace orrery::text::jinja
