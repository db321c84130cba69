// See bpe.h. Short words are merged in an array (a scan for the best pair is quicker than a heap
// when everything lies in a few cache lines); long ones with a linked list and a heap, O(n log n).
#include "text/bpe.h"

#include <algorithm>
#include <utility>

#include "text/byte_alphabet.h"

namespace orrery::text {

namespace {

constexpr u64 kShortWord = 48;  // symbols; measured: beyond it the heap wins
constexpr u32 kEnd = ~u32(0);
constexpr u32 kSpaceMark = 0x2581;  // SentencePiece's space

bool is_byte_token(std::string_view name) { return name.size() == 6 && name.starts_with("<0x"); }

}  // namespace

void MergeTable::reserve(u64 merges) {
  u64 slots = 64;
  while (slots < std::min(merges, kMergesMax) * 2) slots *= 2;
  if (slots > slot_count_) (void)resize(slots);  // put() tries again and says so if it cannot
  merges_.reserve(std::min(merges, kMergesMax));
}

bool MergeTable::resize(u64 slots) {
  auto memory = HugeBuffer::allocate(slots * sizeof(u64));
  if (!memory) return false;
  const HugeBuffer old = std::exchange(memory_, std::move(*memory));
  const u64* const from = reinterpret_cast<const u64*>(old.data());
  const u64 old_count = std::exchange(slot_count_, slots);
  for (u64 k = 0; k < old_count; ++k) {
    if (from[k] == 0) continue;
    u64 i = home(from[k] >> kNumberBits);
    while (this->slots()[i] != 0) i = (i + 1) & (slot_count_ - 1);
    this->slots()[i] = from[k];
  }
  return true;
}

bool MergeTable::put(u32 left, u32 right, Merge merge) {
  if (merges_.size() >= kMergesMax) return false;
  if ((merges_.size() + 1) * 2 > slot_count_ && !resize(std::max<u64>(64, slot_count_ * 2))) {
    return false;
  }
  const u64 pair = pair_of(left, right);
  u64 i = home(pair);
  for (u32 probes = 0; slots()[i] != 0 && slots()[i] >> kNumberBits != pair;
       i = (i + 1) & (slot_count_ - 1)) {
    if (++probes > kProbesMax) return false;
  }
  merges_.push_back(merge);
  slots()[i] = pair << kNumberBits | merges_.size();
  return true;
}

void MergeTable::prefetch(u32 left, u32 right) const {
  if (slot_count_) __builtin_prefetch(&slots()[home(pair_of(left, right))]);
}

MergeTable::Merge MergeTable::find(u32 left, u32 right) const {
  if (slot_count_ == 0) return {};
  const u64 pair = pair_of(left, right);
  for (u64 i = home(pair);; i = (i + 1) & (slot_count_ - 1)) {
    const u64 slot = slots()[i];
    if (slot == 0) return {};
    if (slot >> kNumberBits == pair) return merges_[(slot & kNumberMask) - 1];
  }
}

BpeModel::BpeModel(const Vocabulary& vocabulary, MergeTable merges, const BpeOptions& options)
    : vocabulary_(&vocabulary), merges_(std::move(merges)), options_(options) {
  std::string name;
  for (u32 byte = 0; byte < 256; ++byte) {
    name.clear();
    if (options_.byte_level) {
      append_utf8(name, kCharacterOfByte[byte]);
    } else {
      name = fmt::format("<0x{:02X}>", byte);
    }
    byte_ids_[byte] = vocabulary.find(name).value_or(kNone);
  }
  const bool all_bytes = std::find(byte_ids_.begin(), byte_ids_.end(), kNone) == byte_ids_.end();
  if (!options_.byte_level && !all_bytes) options_.byte_fallback = false;
  if (!options_.byte_level) {
    character_ids_.assign(0x10000, kNone);
    for (TokenId id = 0; u32(id) < vocabulary.size(); ++id) {
      const std::string_view token = vocabulary.name(id);
      if (token.empty() || token.size() > 3) continue;
      const Character c = decode_utf8(token.data(), token.data() + token.size());
      if (c.code < 0x10000 && c.bytes == token.size()) character_ids_[c.code] = id;
    }
  }
  find_cuts();
}

// Which characters stand before a mark inside some merge: those places cannot be cut.
void BpeModel::find_cuts() {
  if (options_.byte_level || character_ids_[kSpaceMark] == kNone) return;
  bool safe = true;
  merges_.each_pair([&](u32 left, u32 right) {
    const std::string_view l = vocabulary_->name(TokenId(left)),
                           r = vocabulary_->name(TokenId(right));
    if (l.empty() || r.empty()) {
      safe = false;
    } else if (decode_utf8(r.data(), r.data() + r.size()).code == kSpaceMark) {
      joined_to_marks_.push_back(decode_utf8_back(l.data(), l.data() + l.size()).code);
    }
    // A byte token stands for a character that its name does not show.
    if (options_.byte_fallback && (is_byte_token(l) || is_byte_token(r))) safe = false;
  });
  std::sort(joined_to_marks_.begin(), joined_to_marks_.end());
  const auto last = std::unique(joined_to_marks_.begin(), joined_to_marks_.end());
  joined_to_marks_.erase(last, joined_to_marks_.end());
  cuts_at_marks_ = safe;
}

// The end of the part of `word` that begins at `from`.
u64 BpeModel::end_of_part(std::string_view word, u64 from) const {
  static constexpr std::string_view kMarkBytes = "\u2581";
  for (auto at = word.find(kMarkBytes, from + 1); at != std::string_view::npos;
       at = word.find(kMarkBytes, at + 1)) {
    const u32 before = decode_utf8_back(word.data() + from, word.data() + at).code;
    if (!std::binary_search(joined_to_marks_.begin(), joined_to_marks_.end(), before)) return at;
  }
  return word.size();
}

std::optional<TokenId> BpeModel::whole_word(std::string_view word) const {
  if (!options_.byte_level) return vocabulary_->find(word);
  std::string spelling;
  append_spelling(spelling, word);
  return vocabulary_->find(spelling);
}

TokenId BpeModel::id_of_character(u32 code, std::string_view bytes) const {
  if (code < 0x10000) return character_ids_[code];
  return vocabulary_->find(bytes).value_or(kNone);
}

template <typename Id>
void BpeModel::append_symbols(std::string_view word, std::vector<Id>& symbols) const {
  bool unknown_open = false;  // an unknown token not yet written: more characters may fuse into it
  const auto flush = [&] {
    if (unknown_open) symbols.push_back(Id(*options_.unknown));
    unknown_open = false;
  };
  const char* const end = word.data() + word.size();
  for (const char* p = word.data(); p < end;) {
    TokenId id;
    u32 bytes = 1;
    if (options_.byte_level) {
      id = byte_ids_[u8(*p)];
    } else {
      const Character c = decode_utf8(p, end);
      bytes = c.bytes;
      id = c.code == kNoCode ? kNone : id_of_character(c.code, {p, c.bytes});
    }
    if (id != kNone) {
      flush();
      symbols.push_back(Id(id));
    } else if (options_.byte_fallback) {
      for (u32 i = 0; i < bytes; ++i) symbols.push_back(Id(byte_ids_[u8(p[i])]));
    } else if (options_.unknown) {
      if (!options_.fuse_unknown) flush();
      unknown_open = true;
    }
    p += bytes;
  }
  flush();
}

void BpeModel::spell(std::string_view word, std::vector<TokenId>& ids) const {
  append_symbols(word, ids);
}

void BpeModel::encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const {
  if (!cuts_at_marks_) return encode_part(word, scratch, ids);
  if (options_.ignore_merges) {
    if (const auto whole = vocabulary_->find(word)) return ids.push_back(*whole);
  }
  for (u64 at = 0; at < word.size();) {
    const u64 end = end_of_part(word, at);
    encode_part(word.substr(at, end - at), scratch, ids);
    at = end;
  }
}

void BpeModel::encode_part(std::string_view word, Scratch& scratch,
                           std::vector<TokenId>& ids) const {
  const bool cacheable = word.size() <= WordCache::kWordBytesMax;
  const u64 hash = cacheable ? hash_of(word) : 0;
  if (cacheable) {
    const auto known = scratch.cache.find(word, hash);
    if (!known.empty()) {
      ids.insert(ids.end(), known.begin(), known.end());
      return;
    }
  }
  const u64 before = ids.size();
  if (options_.ignore_merges && !cuts_at_marks_) {
    if (const auto whole = whole_word(word)) ids.push_back(*whole);
  }
  if (ids.size() == before) {
    scratch.symbols.clear();
    append_symbols(word, scratch.symbols);
    if (scratch.symbols.size() <= kShortWord) {
      merge_short(scratch);
    } else if (scratch.symbols.size() < kEnd) {  // places in the list are 32 bits
      merge_long(scratch);
    }
    ids.insert(ids.end(), scratch.symbols.begin(), scratch.symbols.end());
  }
  if (cacheable) scratch.cache.put(word, hash, std::span(ids).subspan(before));
}

void BpeModel::merge_short(Scratch& scratch) const {
  std::vector<u32>& symbols = scratch.symbols;
  u64 n = symbols.size();
  MergeTable::Merge pairs[kShortWord];  // pairs[i]: what symbols i and i + 1 become
  for (u64 i = 0; i + 1 < n; ++i) pairs[i] = merges_.find(symbols[i], symbols[i + 1]);
  while (n > 1) {
    u64 best = 0;
    for (u64 i = 1; i + 1 < n; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == MergeTable::kNoRank) break;
    symbols[best] = pairs[best].id;
    for (u64 i = best + 1; i + 1 < n; ++i) {
      symbols[i] = symbols[i + 1];
      pairs[i - 1] = pairs[i];
    }
    --n;
    if (best > 0) pairs[best - 1] = merges_.find(symbols[best - 1], symbols[best]);
    if (best + 1 < n) pairs[best] = merges_.find(symbols[best], symbols[best + 1]);
  }
  symbols.resize(n);
}

void BpeModel::merge_long(Scratch& scratch) const {
  std::vector<u32>& symbols = scratch.symbols;
  const u32 n = u32(symbols.size());
  scratch.next.resize(n);
  scratch.previous.resize(n);
  scratch.ranks.assign(n, MergeTable::kNoRank);  // of the pair that begins here, while it is alive
  scratch.merged.resize(n);
  scratch.heap.clear();
  auto& heap = scratch.heap;  // rank, then place: the least on top
  const auto later = std::greater<>();
  const auto look = [&](u32 i) {
    const u32 right = scratch.next[i];
    const auto merge =
        right == kEnd ? MergeTable::Merge{} : merges_.find(symbols[i], symbols[right]);
    scratch.ranks[i] = merge.rank;
    scratch.merged[i] = merge.id;
    if (merge.rank != MergeTable::kNoRank) heap.push_back(u64(merge.rank) << 32 | i);
    return merge.rank != MergeTable::kNoRank;
  };
  for (u32 i = 0; i < n; ++i) {
    scratch.next[i] = i + 1 < n ? i + 1 : kEnd;
    scratch.previous[i] = i > 0 ? i - 1 : kEnd;
    look(i);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const u32 i = u32(heap.back()), rank = u32(heap.back() >> 32);
    heap.pop_back();
    if (scratch.ranks[i] != rank) continue;  // one of the two has become part of another token
    const u32 gone = scratch.next[i];
    symbols[i] = scratch.merged[i];
    scratch.ranks[gone] = MergeTable::kNoRank;
    scratch.next[i] = scratch.next[gone];
    if (scratch.next[i] != kEnd) scratch.previous[scratch.next[i]] = i;
    if (look(i)) std::push_heap(heap.begin(), heap.end(), later);
    const u32 left = scratch.previous[i];
    if (left != kEnd && look(left)) std::push_heap(heap.begin(), heap.end(), later);
  }
  u32 count = 0;
  for (u32 i = 0; i != kEnd && n > 0; i = scratch.next[i]) symbols[count++] = symbols[i];
  symbols.resize(count);
}

}  // namespace orrery::text
