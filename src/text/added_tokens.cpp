// See added_tokens.h.
#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"
#include "text/unicode_library.h"

namespace orrery::text {

namespace {

bool ends_with_word(std::string_view text) {
  if (text.empty()) return false;
  return library::is_word(decode_utf8_back(text.data(), text.data() + text.size()).code);
}

bool starts_with_word(std::string_view text) {
  if (text.empty()) return false;
  return library::is_word(decode_utf8(text.data(), text.data() + text.size()).code);
}

u64 space_bytes_at_end(std::string_view text) {
  const char* const begin = text.data();
  const char* p = begin + text.size();
  while (p > begin) {
    const Character c = decode_utf8_back(begin, p);
    if (!(class_bits(c.code) & kSpace)) break;
    p -= c.bytes;
  }
  return text.size() - u64(p - begin);
}

u64 space_bytes_at_start(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const Character c = decode_utf8(p, end);
    if (!(class_bits(c.code) & kSpace)) break;
    p += c.bytes;
  }
  return u64(p - text.data());
}

}  // namespace

bool is_white_space(std::string_view text) { return space_bytes_at_start(text) == text.size(); }

u32 TokenTrie::child(u32 node, u8 byte) const {
  for (u32 e = nodes_[node].first_edge; e != kNone; e = edges_[e].next) {
    if (edges_[e].byte == byte) return edges_[e].target;
  }
  return kNone;
}

Result<void> TokenTrie::add(std::string_view content, u32 value) {
  if (content.empty()) return {};
  if (content.size() > kContentBytesMax) {
    return fail("an added token has {} bytes, more than {}", content.size(), kContentBytesMax);
  }
  if (nodes_.size() + content.size() > kNodesMax) return fail("the added tokens are too many");
  if (nodes_.empty()) nodes_.emplace_back();  // node 0 is nobody's
  u32& root = roots_[u8(content[0])];
  if (root == 0) {
    root = u32(nodes_.size());
    nodes_.emplace_back();
  }
  u32 node = root;
  for (const char c : content.substr(1)) {
    u32 target = child(node, u8(c));
    if (target == kNone) {
      target = u32(nodes_.size());
      nodes_.emplace_back();
      edges_.push_back({u8(c), target, nodes_[node].first_edge});
      nodes_[node].first_edge = u32(edges_.size() - 1);
    }
    node = target;
  }
  nodes_[node].value = value;
  return {};
}

u64 TokenTrie::match_at(std::string_view text, u64 at, u32& value) const {
  u32 node = at < text.size() ? roots_[u8(text[at])] : 0;
  u64 longest = 0;
  for (u64 i = at + 1; node != 0 && node != kNone; ++i) {
    if (nodes_[node].value != kNone) {
      longest = i - at;
      value = nodes_[node].value;
    }
    if (i == text.size()) break;
    node = child(node, u8(text[i]));
  }
  return longest;
}

bool TokenTrie::find(std::string_view text, u64 from, Hit& hit) const {
  if (empty()) return false;
  for (u64 at = from; at < text.size(); ++at) {
    if (roots_[u8(text[at])] == 0) continue;
    if (const u64 length = match_at(text, at, hit.value)) {
      hit.begin = at;
      hit.end = at + length;
      return true;
    }
  }
  return false;
}

Result<void> AddedTokens::add(AddedToken token, std::string_view pattern) {
  CHECK_OK(tries_[token.normalized].add(pattern, u32(tokens_.size())));
  token.decoded = pattern;
  tokens_.push_back(std::move(token));
  return {};
}

void AddedTokens::split(std::string_view text, bool normalized, Special mode,
                        std::vector<Piece>& pieces) const {
  u64 done = 0, from = 0;
  TokenTrie::Hit hit;
  while (tries_[normalized].find(text, from, hit)) {
    from = hit.end;
    const AddedToken& token = tokens_[hit.value];
    if ((mode == Special::kText && token.control) || (mode == Special::kNative && !token.native)) {
      from = hit.begin + 1;  // a plain token inside it may still match
      continue;
    }
    u64 begin = hit.begin, end = hit.end;
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) {
      continue;
    }
    if (token.lstrip) {
      begin = std::max(begin - space_bytes_at_end(text.substr(0, begin)), done);
    }
    if (token.rstrip) end += space_bytes_at_start(text.substr(end));
    if (done < begin) pieces.push_back({text.substr(done, begin - done), nullptr});
    pieces.push_back({text.substr(begin, end - begin), &token});
    done = end;
  }
  if (done < text.size()) pieces.push_back({text.substr(done), nullptr});
}

}  // namespace orrery::text
