// See decoder.h.
#include "text/decoder.h"

#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace orrery::text {

Decoder::Decoder(const Vocabulary& vocabulary, const DecodeRules& rules) : rules_(rules) {
  spans_.resize(vocabulary.size());
  text_.reserve(u64(vocabulary.size()) * 8);
  for (TokenId id = 0; u32(id) < vocabulary.size(); ++id) {
    if (!vocabulary.has(id)) continue;
    const std::string_view name = vocabulary.name(id);
    Span& span = spans_[u32(id)];
    span.begin = u32(text_.size());
    if (rules_.kind != DecodeRules::Kind::kByteLevel || !append_spelled_bytes(text_, name)) {
      text_ += name;
    }
    span.length = u32(text_.size() - span.begin);
    span.known = true;
    span.valid = is_valid_utf8(std::string_view(text_).substr(span.begin));
  }
}

std::string_view Decoder::bytes(TokenId id) const {
  if (id < 0 || u32(id) >= spans_.size()) return {};
  const Span& span = spans_[u32(id)];
  return std::string_view(text_).substr(span.begin, span.length);
}

void Decoder::push(DecodeState& state, TokenId id, std::string& out) const {
  if (id < 0 || u32(id) >= spans_.size() || !spans_[u32(id)].known) return;
  const std::string_view token = bytes(id);
  if (rules_.kind == DecodeRules::Kind::kNames && !state.first) out += ' ';
  state.first = false;
  if (state.pending.empty() && spans_[u32(id)].valid) {
    out += token;
    return;
  }
  state.pending += token;
  const u32 open = incomplete_suffix(state.pending);
  append_lossy(out, std::string_view(state.pending).substr(0, state.pending.size() - open));
  state.pending.erase(0, state.pending.size() - open);
}

void Decoder::finish(DecodeState& state, std::string& out) const {
  append_lossy(out, state.pending);
  state.pending.clear();
}

}  // namespace orrery::text
