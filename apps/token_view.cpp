#include "apps/token_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/terminal.h"

namespace orrery::apps {
namespace {

using text::TokenId;

// Grounds that black text can be read on, far enough apart for neighbours to differ.
constexpr u32 kGrounds[] = {223, 153, 194, 225, 230};
constexpr u32 kSpecialGround = 210;
// Two of each origin, for neighbours.
constexpr u32 kTemplateGrounds[] = {254, 251}, kMessageGrounds[] = {153, 117};

// Length of the UTF-8 character at the front, 0 when there is none (RFC 3629).
std::size_t character_length(std::string_view bytes) {
  const auto tail = [&](std::size_t i) {
    return i < bytes.size() && (u8(bytes[i]) & 0xc0) == 0x80;
  };
  const u8 first = u8(bytes[0]);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) return tail(1) && tail(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4) return tail(1) && tail(2) && tail(3) ? 4 : 0;
  return 0;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", u8(c));
  return text;
}

u64 characters_of(std::string_view text) {
  return u64(
      std::count_if(text.begin(), text.end(), [](char c) { return (u8(c) & 0xc0) != 0x80; }));
}

struct Block {
  std::string piece, id, bytes;
  u32 columns;
  bool special, line_end;
};

Block block_of(const text::Tokenizer& tokenizer, TokenId id, u32 columns_max) {
  const bool special = tokenizer.is_special(id);
  const std::string bytes =
      special ? std::string(tokenizer.token_name(id)) : tokenizer.token_bytes(id);
  // A control token stands for no bytes: its name is how people write it.
  Block block{visible(bytes), fmt::format("{}", id), special ? "" : hex(bytes), 0,
              special,        bytes.ends_with('\n')};
  // A piece wider than the screen is cut, and says so.
  const auto fit = [&](std::string& text) {
    bool cut = false;
    while (columns_of(text) + cut > columns_max && !text.empty()) {
      do text.pop_back();
      while (!text.empty() && (u8(text.back()) & 0xc0) == 0x80);
      cut = true;
    }
    if (cut) text += "…";
  };
  fit(block.piece);
  fit(block.bytes);
  block.columns =
      std::max({columns_of(block.piece), columns_of(block.id), columns_of(block.bytes)});
  return block;
}

// Three rows at a time, filled from left to right.
class Layout {
 public:
  Layout(std::vector<ViewRow>& rows, u32 columns) : rows_(rows), columns_(columns) {}

  void add(const Block& block) {
    add(block, block.special ? kSpecialGround : kGrounds[number_++ % std::size(kGrounds)]);
  }
  void add(const Block& block, u32 ground) {
    if (lines_[0].columns + block.columns + 1 > columns_) flush();
    const Style& s = out_style();
    const std::string paint = s.colours() ? fmt::format("\x1b[30;48;5;{}m", ground) : "";
    const auto put = [&](ViewRow& row, const std::string& text, std::string_view colour) {
      const u32 wide = columns_of(text);
      row.text += fmt::format("{}{}{}{}{}", colour, text, s.reset,
                              std::string(block.columns - wide, ' '), s.colours() ? " " : "|");
      row.columns += block.columns + 1;
    };
    put(lines_[0], block.piece, paint);
    put(lines_[1], block.id, "");
    put(lines_[2], block.bytes, s.dim);
    if (block.line_end) flush();
  }
  void flush() {
    if (lines_[0].columns == 0) return;
    for (ViewRow& line : lines_) rows_.push_back(std::exchange(line, {}));
    rows_.emplace_back();
  }

 private:
  std::vector<ViewRow>& rows_;
  u32 columns_, number_ = 0;
  ViewRow lines_[3];
};

ViewRow row(std::string_view colour, const std::string& text) {
  return {fmt::format("{}{}{}", colour, text, out_style().reset), columns_of(text)};
}

}  // namespace

std::string visible(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    const u8 first = u8(bytes[0]);
    const bool control = length == 1 ? first < 0x20 || first == 0x7f
                                     : length == 2 && first == 0xc2 && u8(bytes[1]) < 0xa0;
    if (bytes[0] == ' ')
      text += "·";
    else if (bytes[0] == '\n')
      text += "⏎";
    else if (bytes[0] == '\t')
      text += "⇥";
    else if (length == 0 || control)
      text += fmt::format("<{:02x}>", first);
    else
      text += bytes.substr(0, length);
    bytes.remove_prefix(control || length == 0 ? 1 : length);
  }
  return text;
}

TokenView view_tokens(const text::Tokenizer& tokenizer, const std::string& name,
                      std::string_view text, u32 columns) {
  TokenView view;
  const Style& s = out_style();
  view.rows.push_back(row(s.strong, name));
  view.rows.emplace_back();
  Layout layout(view.rows, columns);
  const std::vector<TokenId> ids = tokenizer.encode(text, text::Special::kParse, true);
  for (const TokenId id : ids) layout.add(block_of(tokenizer, id, columns - 1));
  layout.flush();
  const f64 count = f64(ids.size());
  view.summary.push_back(row(s.strong, fmt::format("{} tokens", grouped(ids.size()))));
  if (!text.empty())
    view.summary.push_back(
        row(s.dim, fmt::format("{:.3f} a character, {:.3f} a byte",
                               count / f64(characters_of(text)), count / f64(text.size()))));
  return view;
}

TokenView view_origins(const text::Tokenizer& tokenizer, std::span<const TokenId> ids,
                       std::span<const Origin> origins, u32 columns) {
  TokenView view;
  const Style& s = out_style();
  Layout layout(view.rows, columns);
  u64 of_messages = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool message = origins[i] == Origin::kMessage;
    of_messages += message;
    const Block block = block_of(tokenizer, ids[i], columns - 1);
    const u32 ground = message         ? kMessageGrounds[i % 2]
                       : block.special ? kSpecialGround
                                       : kTemplateGrounds[i % 2];
    layout.add(block, ground);
  }
  layout.flush();
  const auto legend = [](u32 ground, std::string_view what) {
    return fmt::format("\x1b[30;48;5;{}m {} {}  ", ground, what, out_style().reset);
  };
  if (s.colours())
    view.summary.push_back({legend(kSpecialGround, "control token of the template") +
                                legend(kTemplateGrounds[0], "the template's text") +
                                legend(kMessageGrounds[0], "a message"),
                            0});
  view.summary.push_back(
      row(s.dim, fmt::format("{} tokens: {} of messages, {} around them", grouped(ids.size()),
                             grouped(of_messages), grouped(ids.size() - of_messages))));
  return view;
}

std::string list_origins(const text::Tokenizer& tokenizer, std::span<const TokenId> ids,
                         std::span<const Origin> origins) {
  std::string out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool special = tokenizer.is_special(ids[i]);
    out += fmt::format("{:>6} {:>7}  {:<8}  {}\n", i, ids[i],
                       origins[i] == Origin::kMessage ? "message"
                       : special                      ? "control"
                                                      : "template",
                       visible(special ? std::string(tokenizer.token_name(ids[i]))
                                       : tokenizer.token_bytes(ids[i])));
  }
  return out;
}

std::string one_above_other(const TokenView& view) {
  std::string out;
  for (const auto* part : {&view.rows, &view.summary})
    for (const ViewRow& one : *part) out += one.text + "\n";
  return out;
}

std::string side_by_side(const TokenView& left, const TokenView& right, u32 columns) {
  std::string out;
  const auto join = [&](const std::vector<ViewRow>& a, const std::vector<ViewRow>& b) {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      const ViewRow l = i < a.size() ? a[i] : ViewRow(), r = i < b.size() ? b[i] : ViewRow();
      out += l.text + std::string(columns > l.columns ? columns - l.columns : 0, ' ') + " │ " +
             r.text + "\n";
    }
  };
  join(left.rows, right.rows);
  join(left.summary, right.summary);
  return out;
}

}  // namespace orrery::apps
