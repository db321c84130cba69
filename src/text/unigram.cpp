// See unigram.h. The trie's edges lie in one flat hash table.
#include "text/unigram.h"

#include <algorithm>

#include "text/unicode.h"

namespace orrery::text {

UnigramModel::UnigramModel(const Vocabulary& vocabulary, const UnigramOptions& options)
    : options_(options), vocabulary_(&vocabulary) {
  for (u32 byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = vocabulary.find(fmt::format("<0x{:02X}>", byte)).value_or(kNone);
  }
}

u32 UnigramModel::child(u32 node, u8 byte) const {
  if (edges_.empty()) return 0;
  const u64 key = u64(node) << 8 | byte, mask = edges_.size() - 1;
  for (u64 i = mix(key, 0) & mask;; i = (i + 1) & mask) {
    if (edges_[i].key == key) return edges_[i].target;
    if (edges_[i].key == kEmpty) return 0;
  }
}

bool UnigramModel::put(u32 node, u8 byte, u32 target) {
  if ((edge_count_ + 1) * 2 > edges_.size()) {
    std::vector<Edge> old = std::move(edges_);
    edges_.assign(std::max<u64>(1024, old.size() * 2), Edge{});
    edge_count_ = 0;
    for (const Edge& edge : old) {
      if (edge.key != kEmpty && !put(u32(edge.key >> 8), u8(edge.key), edge.target)) return false;
    }
  }
  const u64 key = u64(node) << 8 | byte, mask = edges_.size() - 1;
  u64 i = mix(key, 0) & mask;
  for (u32 probes = 0; edges_[i].key != kEmpty; i = (i + 1) & mask) {
    if (++probes > kProbesMax) return false;
  }
  edges_[i] = {key, target};
  ++edge_count_;
  return true;
}

bool UnigramModel::add(std::string_view piece, TokenId id, f64 score) {
  u32 node = 0;
  for (const char c : piece) {
    u32 next = child(node, u8(c));
    if (next == 0) {
      if (nodes_.size() >= kNodesMax) return false;
      next = u32(nodes_.size());
      nodes_.emplace_back();
      if (!put(node, u8(c), next)) return false;
    }
    node = next;
  }
  nodes_[node] = {id, score};
  return true;
}

// Fills scratch.scores (best sum of scores up to each place), scratch.begins (where the last piece
// of the best way begins) and scratch.symbols (its id; the unknown id, or none, for an unknown
// character).
template <typename Score>
void UnigramModel::find_best_path(std::string_view word, Scratch& scratch) const {
  constexpr u32 kUnreached = ~u32(0);
  scratch.scores.assign(word.size() + 1, 0);
  scratch.begins.assign(word.size() + 1, kUnreached);
  scratch.symbols.resize(word.size() + 1);
  const auto offer = [&](u64 begin, u64 end, f64 score, TokenId id) {
    if (scratch.begins[end] != kUnreached && !(Score(score) > Score(scratch.scores[end]))) return;
    scratch.scores[end] = Score(score);
    scratch.begins[end] = u32(begin);
    scratch.symbols[end] = u32(id);
  };
  for (u64 at = 0; at < word.size();) {
    const f64 here = scratch.scores[at];
    const u64 next = at + decode_utf8(word.data() + at, word.data() + word.size()).bytes;
    bool covered = false;
    u32 node = 0;
    for (u64 end = at; end < word.size();) {
      node = child(node, u8(word[end++]));
      if (node == 0) break;
      if (nodes_[node].id == kNone) continue;
      offer(at, end, nodes_[node].score + here, nodes_[node].id);
      covered |= end == next;
    }
    if (!covered) {
      const f64 score = Score(Score(options_.unknown_score) + Score(here));
      offer(at, next, score, options_.unknown.value_or(kNone));
    }
    at = next;
  }
}

void UnigramModel::append_unknown(std::string_view text, std::vector<TokenId>& ids) const {
  if (const auto known = vocabulary_->find(text); known && !options_.single_precision) {
    ids.push_back(*known);  // fused characters may spell a token, to Hugging Face
    return;
  }
  const auto id_of = [this](char c) { return byte_ids_[u8(c)]; };
  const bool spelled = options_.byte_fallback && std::all_of(text.begin(), text.end(), [&](char c) {
                         return id_of(c) != kNone;
                       });
  if (spelled) {
    for (const char c : text) ids.push_back(id_of(c));
  } else if (options_.unknown) {
    ids.push_back(*options_.unknown);
  }
}

void UnigramModel::encode(std::string_view word, Scratch& scratch,
                          std::vector<TokenId>& ids) const {
  if (word.size() >= ~u32(0)) return append_unknown(word, ids);  // places are 32 bits
  const bool cacheable = word.size() <= WordCache::kWordBytesMax;
  const u64 hash = cacheable ? hash_of(word) : 0;
  if (cacheable) {
    const auto known = scratch.cache.find(word, hash);
    if (!known.empty()) {
      ids.insert(ids.end(), known.begin(), known.end());
      return;
    }
  }
  if (options_.single_precision) {
    find_best_path<f32>(word, scratch);
  } else {
    find_best_path<f64>(word, scratch);
  }
  // The way back visits the pieces from the last to the first.
  auto& ends = scratch.next;
  ends.clear();
  for (u32 end = u32(word.size()); end > 0; end = scratch.begins[end]) ends.push_back(end);
  const u64 before = ids.size();
  const TokenId unknown = options_.unknown.value_or(kNone);
  u64 unknown_begin = 0, unknown_end = 0;  // unknown characters in a row are one
  for (u64 i = ends.size(); i-- > 0;) {
    const u32 end = ends[i];
    if (TokenId(scratch.symbols[end]) == unknown) {
      if (unknown_begin == unknown_end) unknown_begin = scratch.begins[end];
      unknown_end = end;
      continue;
    }
    if (unknown_begin < unknown_end) {
      append_unknown(word.substr(unknown_begin, unknown_end - unknown_begin), ids);
    }
    unknown_begin = unknown_end = 0;
    ids.push_back(TokenId(scratch.symbols[end]));
  }
  if (unknown_begin < unknown_end) {
    append_unknown(word.substr(unknown_begin, unknown_end - unknown_begin), ids);
  }
  if (cacheable) scratch.cache.put(word, hash, std::span(ids).subspan(before));
}

void UnigramModel::spell(std::string_view word, std::vector<TokenId>& ids) const {
  const char* const end = word.data() + word.size();
  for (const char* p = word.data(); p < end;) {
    const Character c = decode_utf8(p, end);
    u32 node = 0;
    for (u32 i = 0; i < c.bytes && (i == 0 || node != 0); ++i) node = child(node, u8(p[i]));
    if (node != 0 && nodes_[node].id != kNone) {
      ids.push_back(nodes_[node].id);
    } else {
      append_unknown({p, c.bytes}, ids);
    }
    p += c.bytes;
  }
}

}  // namespace orrery::text
