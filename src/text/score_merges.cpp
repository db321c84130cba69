// See score_merges.h.
#include "text/score_merges.h"

#include <algorithm>

#include "text/hash.h"
#include "text/unicode.h"

namespace orrery::text {

namespace {

// A piece of n characters has n - 1 cuts; real pieces are short, and this bounds a hostile file's
// work.
constexpr u64 kPieceBytesMax = 1024;
constexpr u64 kCutsMax = u64(1) << 26;

struct Halves {
  TokenId left, right;
};

// Every way to cut `name` into two tokens. The memory of all look-ups is asked for before the
// first.
void find_halves(const Vocabulary& vocabulary, std::string_view name, std::vector<Halves>& found) {
  struct Cut {
    u64 at, left_hash, right_hash;
  };
  std::vector<Cut> cuts;
  found.clear();
  for (u64 at = 0; at < name.size();) {
    at += decode_utf8(name.data() + at, name.data() + name.size()).bytes;
    if (at >= name.size()) break;
    cuts.push_back({at, hash_of(name.substr(0, at)), hash_of(name.substr(at))});
    vocabulary.prefetch(cuts.back().left_hash);
    vocabulary.prefetch(cuts.back().right_hash);
  }
  for (const Cut& cut : cuts) {
    const auto left = vocabulary.find(name.substr(0, cut.at), cut.left_hash);
    if (!left) continue;
    const auto right = vocabulary.find(name.substr(cut.at), cut.right_hash);
    if (right) found.push_back({*left, *right});
  }
}

}  // namespace

Result<MergeTable> merges_from_scores(const Vocabulary& vocabulary,
                                      std::span<const ScoredPiece> pieces) {
  std::vector<ScoredPiece> sorted(pieces.begin(), pieces.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  std::vector<bool> may_merge(vocabulary.size(), false);
  for (const ScoredPiece& piece : pieces) may_merge[u32(piece.id)] = true;
  MergeTable table;
  table.reserve(pieces.size() * 4);
  std::vector<Halves> halves;
  u32 rank = 0;
  u64 cuts = 0;
  for (u64 i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].score != sorted[i - 1].score) ++rank;
    const std::string_view name = vocabulary.name(sorted[i].id);
    if (name.size() > kPieceBytesMax) return fail("token {} is too long", sorted[i].id);
    cuts += name.size();
    if (cuts > kCutsMax) return fail("the tokens are too long in all");
    find_halves(vocabulary, name, halves);
    for (const auto& [left, right] : halves) {
      if (!may_merge[u32(left)] || !may_merge[u32(right)]) continue;
      if (!table.put(u32(left), u32(right), {rank, u32(sorted[i].id)})) {
        return fail("the tokens were made to collide, or are too many");
      }
    }
  }
  return table;
}

}  // namespace orrery::text
