// See pipeline.h.
#include "text/pipeline.h"

#include <algorithm>

namespace orrery::text {

bool TokenizerData::knows(u64 id) const {
  if (id >= Vocabulary::kIdsMax) return false;
  const auto& tokens = added.all();
  return vocabulary->has(TokenId(id)) ||
         std::any_of(tokens.begin(), tokens.end(), [&](const auto& t) { return u64(t.id) == id; });
}

class PipelineTokenizer::Lease {
 public:
  explicit Lease(const PipelineTokenizer& owner) : owner_(owner) {
    const std::lock_guard lock(owner_.mutex_);
    if (owner_.idle_.empty()) {
      scratch_ = std::make_unique<Scratch>();
    } else {
      scratch_ = std::move(owner_.idle_.back());
      owner_.idle_.pop_back();
    }
  }
  ~Lease() {
    const std::lock_guard lock(owner_.mutex_);
    owner_.idle_.push_back(std::move(scratch_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  [[nodiscard]] Scratch& scratch() { return *scratch_; }

 private:
  const PipelineTokenizer& owner_;
  std::unique_ptr<Scratch> scratch_;
};

// One call of encode(): text goes in by pieces, ids come out.
class PipelineTokenizer::Encoder final : public WordSink {
 public:
  Encoder(const PipelineTokenizer& tokenizer, Special special, std::vector<TokenId>& ids)
      : tokenizer_(tokenizer),
        data_(tokenizer.data_),
        special_(special),
        ids_(ids),
        lease_(tokenizer) {}

  void run(std::string_view text) {
    if (!data_.added.any(false)) return plain(text, true);
    std::vector<AddedTokens::Piece> pieces;
    data_.added.split(text, false, special_, pieces);
    for (const auto& piece : pieces) {
      if (piece.token) {
        ids_.push_back(piece.token->id);
      } else {
        plain(piece.text, piece.text.data() == text.data());
      }
    }
  }

  void word(std::string_view text) override {
    const u64 before = ids_.size();
    data_.model->encode(text, lease_.scratch(), ids_);
    if (special_ != Special::kText) return;
    for (u64 i = before; i < ids_.size(); ++i) {
      if (!tokenizer_.has_flag(ids_[i], kControl)) continue;
      ids_.resize(before);
      data_.model->spell(text, ids_);
      std::erase_if(ids_, [&](const TokenId& id) {
        return u64(&id - ids_.data()) >= before && tokenizer_.has_flag(id, kControl);
      });
      break;
    }
  }

 private:
  // Text without added tokens of the first kind: normalised, searched for the second kind, cut.
  // `at_start`: it begins the whole text.
  void plain(std::string_view text, bool at_start) {
    std::string buffer;
    text = data_.normalizer.run(text, buffer);
    if (!data_.added.any(true)) return words(text, at_start);
    std::vector<AddedTokens::Piece> pieces;
    data_.added.split(text, true, special_, pieces);
    for (const auto& piece : pieces) {
      if (piece.token) {
        ids_.push_back(piece.token->id);
      } else {
        words(piece.text, at_start && piece.text.data() == text.data());
      }
    }
  }

  void words(std::string_view text, bool at_start) {
    if (!text.empty()) data_.pre_tokenizer.run(text, at_start, *this);
  }

  const PipelineTokenizer& tokenizer_;
  const TokenizerData& data_;
  Special special_;
  std::vector<TokenId>& ids_;
  Lease lease_;
};

namespace {

std::vector<AddedName> names_of(const AddedTokens& added, bool invisible_start) {
  std::vector<AddedName> names;
  for (const AddedToken& token : added.all()) {
    names.push_back({token.id, token.decoded, invisible_start && token.special});
  }
  return names;
}

bool drops_mark(const DecodeRules& rules) {
  return rules.start == DecodeRules::Start::kDropOneMark ||
         rules.start == DecodeRules::Start::kDropEveryMark;
}

}  // namespace

PipelineTokenizer::PipelineTokenizer(TokenizerData data)
    : data_(std::move(data)),
      decoder_(*data_.vocabulary, names_of(data_.added, drops_mark(data_.decode)), data_.decode) {
  flags_.assign(data_.vocabulary->size(), 0);
  for (const AddedToken& token : data_.added.all()) {
    if (u32(token.id) >= flags_.size()) flags_.resize(u64(token.id) + 1);
    flags_[u32(token.id)] = u8((token.special ? kSpecial : 0) | (token.control ? kControl : 0));
    by_id_.push_back(&token);
  }
  by_content_ = by_id_;
  std::sort(by_id_.begin(), by_id_.end(), [](auto* a, auto* b) { return a->id < b->id; });
  std::sort(by_content_.begin(), by_content_.end(),
            [](auto* a, auto* b) { return a->content < b->content; });
}

std::string_view PipelineTokenizer::token_name(TokenId id) const {
  const auto at = std::lower_bound(by_id_.begin(), by_id_.end(), id,
                                   [](auto* token, TokenId wanted) { return token->id < wanted; });
  if (at != by_id_.end() && (*at)->id == id) return (*at)->content;
  return data_.vocabulary->name(id);
}

std::optional<TokenId> PipelineTokenizer::find(std::string_view token) const {
  const auto at = std::lower_bound(by_content_.begin(), by_content_.end(), token,
                                   [](auto* a, std::string_view b) { return a->content < b; });
  if (at != by_content_.end() && (*at)->content == token) return (*at)->id;
  return data_.vocabulary->find(token);
}

std::vector<TokenId> PipelineTokenizer::encode(std::string_view text, Special special,
                                               bool add) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  if (add) ids.insert(ids.end(), data_.prefix.begin(), data_.prefix.end());
  Encoder(*this, special, ids).run(text);
  if (add) ids.insert(ids.end(), data_.suffix.begin(), data_.suffix.end());
  return ids;
}

std::string PipelineTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  DecodeState state;
  std::string out;
  out.reserve(ids.size() * 4);
  for (const TokenId id : ids) {
    if (keep_special || !has_flag(id, kSpecial)) decoder_.push(state, id, out);
  }
  decoder_.finish(state, out);
  return out;
}

void PipelineTokenizer::decode_push(DecodeState& state, TokenId id, bool keep_special,
                                    std::string& out) const {
  if (keep_special || !has_flag(id, kSpecial)) decoder_.push(state, id, out);
}

void PipelineTokenizer::decode_finish(DecodeState& state, std::string& out) const {
  decoder_.finish(state, out);
}

std::string PipelineTokenizer::token_bytes(TokenId id) const {
  return std::string(decoder_.bytes(id));
}

}  // namespace orrery::text
