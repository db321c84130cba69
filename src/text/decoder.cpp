// See decoder.h.
#include "text/decoder.h"

#include <utility>

#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace orrery::text {

namespace {

constexpr std::string_view kSpaceMark = "\u2581";
constexpr std::string_view kReplacementBytes = "\uFFFD";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The byte of a name like "<0x0A>"; -1 for any other name.
int byte_of_name(std::string_view name) {
  if (name.size() != 6 || !name.starts_with("<0x") || name[5] != '>') return -1;
  const int high = hex_digit(name[3]), low = hex_digit(name[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string replaced(std::string_view text, const DecodeRules::Replacement& rule) {
  std::string out;
  u64 done = 0;
  for (auto at = text.find(rule.from); at != std::string_view::npos;
       at = text.find(rule.from, done)) {
    out += text.substr(done, at - done);
    out += rule.to;
    done = at + rule.from.size();
  }
  out += text.substr(done);
  return out;
}

}  // namespace

Decoder::Decoder(const Vocabulary& vocabulary, const std::vector<AddedName>& added,
                 DecodeRules rules)
    : rules_(std::move(rules)) {
  entries_.resize(vocabulary.size());
  text_.reserve(u64(vocabulary.size()) * 8);
  for (TokenId id = 0; u32(id) < vocabulary.size(); ++id) {
    if (vocabulary.has(id)) set(id, vocabulary.name(id));
  }
  for (const AddedName& token : added) {
    set(token.id, token.name);
    entries_[u32(token.id)].invisible_start = token.invisible_start;
  }
}

void Decoder::set(TokenId id, std::string_view name) {
  if (u32(id) >= entries_.size()) entries_.resize(u64(id) + 1);
  Entry entry;
  entry.begin = u32(text_.size());
  entry.known = true;
  if (rules_.kind == DecodeRules::Kind::kByteLevel) {
    if (!append_spelled_bytes(text_, name)) text_ += name;
  } else if (rules_.unknown == id) {
    text_ += rules_.unknown_text;
  } else {
    entry.has_mark = name.starts_with(kSpaceMark);
    std::string text(name);
    for (const auto& rule : rules_.replacements) text = replaced(text, rule);
    const int byte = byte_of_name(text);
    entry.is_byte = byte >= 0 && rules_.byte_tokens != DecodeRules::ByteTokens::kText;
    if (entry.is_byte) {
      text_ += char(byte);
    } else {
      append_lossy(text_, text);
    }
  }
  entry.length = u32(text_.size() - entry.begin);
  if (rules_.start == DecodeRules::Start::kDropInFirst) {
    entry.first_begin = u32(text_.size());
    append_lossy(text_, replaced(name, {rules_.drop_content, ""}));
    entry.first_length = u32(text_.size() - entry.first_begin);
  }
  entry.plain =
      !entry.is_byte && is_valid_utf8(std::string_view(text_).substr(entry.begin, entry.length));
  entries_[u32(id)] = entry;
}

std::string_view Decoder::bytes(TokenId id) const {
  if (id < 0 || u32(id) >= entries_.size()) return {};
  const Entry& entry = entries_[u32(id)];
  return std::string_view(text_).substr(entry.begin, entry.length);
}

void Decoder::push(DecodeState& state, TokenId id, std::string& out) const {
  if (id < 0 || u32(id) >= entries_.size()) return;
  const Entry& entry = entries_[u32(id)];
  if (!entry.known) return;
  if (rules_.kind == DecodeRules::Kind::kByteLevel) {
    if (state.pending.empty() && entry.plain) {
      out += bytes(id);
    } else {
      push_bytes(state, bytes(id), out);
    }
    return;
  }
  if (entry.is_byte) return push_byte_token(state, bytes(id), out);
  if (!state.pending.empty()) {
    flush_byte_tokens(state, std::exchange(state.pending, {}), out);
  }
  if (state.started && rules_.separator.empty()) {
    out += bytes(id);
  } else {
    append_piece(state, id, entry, out);
  }
}

// Byte-level: characters may be spread over tokens in any way.
void Decoder::push_bytes(DecodeState& state, std::string_view token, std::string& out) const {
  state.pending += token;
  const u32 open = incomplete_suffix(state.pending);
  append_lossy(out, std::string_view(state.pending).substr(0, state.pending.size() - open));
  state.pending.erase(0, state.pending.size() - open);
}

// A row of byte tokens that must be valid as a whole waits for its end; otherwise each character
// goes out when it is complete.
void Decoder::push_byte_token(DecodeState& state, std::string_view byte, std::string& out) const {
  state.pending += byte;
  if (rules_.byte_tokens == DecodeRules::ByteTokens::kAllOrNothing) return;
  const u64 ready = state.pending.size() - incomplete_suffix(state.pending);
  if (ready == 0) return;
  flush_byte_tokens(state, std::string_view(state.pending).substr(0, ready), out);
  state.pending.erase(0, ready);
}

void Decoder::flush_byte_tokens(DecodeState& state, std::string_view run, std::string& out) const {
  std::string text;
  if (rules_.byte_tokens == DecodeRules::ByteTokens::kAllOrNothing && !is_valid_utf8(run)) {
    for (u64 i = 0; i < run.size(); ++i) text += kReplacementBytes;
  } else {
    const char* const end = run.data() + run.size();
    for (const char* p = run.data(); p < end;) {
      const Character c = decode_utf8(p, end);
      text += c.code == kNoCode ? kReplacementBytes : std::string_view(p, c.bytes);
      p += c.bytes;
    }
  }
  append_at_start(state, text, out);
}

void Decoder::append_piece(DecodeState& state, TokenId id, const Entry& entry,
                           std::string& out) const {
  using Start = DecodeRules::Start;
  const std::string_view text = bytes(id);
  if (!rules_.separator.empty()) {
    if (state.started) out += rules_.separator;
    state.started = true;
    out += text;
    return;
  }
  if (entry.invisible_start) {
    out += text;
    return;
  }
  if (rules_.start == Start::kDropInFirst) {  // started: the first token only
    out += std::string_view(text_).substr(entry.first_begin, entry.first_length);
    state.started = true;
    return;
  }
  if (rules_.start == Start::kDropOneMark || rules_.start == Start::kDropEveryMark) {
    const std::string_view rest =
        entry.has_mark ? text.substr(1) : text;  // the mark is a space now
    out += rest;
    state.started = !rest.empty() || (entry.has_mark && rules_.start == Start::kDropOneMark);
    return;
  }
  append_at_start(state, text, out);
}

// Text that no rule for single tokens concerns; the rules for the start of all text still may.
void Decoder::append_at_start(DecodeState& state, std::string_view text, std::string& out) const {
  using Start = DecodeRules::Start;
  const std::string_view content = rules_.drop_content;
  if (!state.started && rules_.start == Start::kDropContent) {
    while (state.dropped < rules_.drop_count && text.starts_with(content)) {
      text.remove_prefix(content.size());
      ++state.dropped;
    }
    state.started = !text.empty() || state.dropped == rules_.drop_count;
  } else if (!text.empty() || rules_.start == Start::kKeep) {
    state.started = true;
  }
  out += text;
}

void Decoder::finish(DecodeState& state, std::string& out) const {
  if (state.pending.empty()) return;
  if (rules_.kind == DecodeRules::Kind::kByteLevel) {
    append_lossy(out, state.pending);
    state.pending.clear();
  } else {
    flush_byte_tokens(state, std::exchange(state.pending, {}), out);
  }
}

}  // namespace orrery::text
