// See pipeline.h.
#include "text/pipeline.h"

namespace orrery::text {

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
    if (!data_.added.any(false)) return plain(text);
    std::vector<AddedTokens::Piece> pieces;
    data_.added.split(text, false, special_ == Special::kText, pieces);
    for (const auto& piece : pieces) {
      if (piece.token) {
        ids_.push_back(piece.token->id);
      } else {
        plain(piece.text);
      }
    }
  }

  void word(std::string_view text) override {
    const u64 before = ids_.size();
    data_.model->encode(text, lease_.scratch(), ids_);
    if (special_ == Special::kParse) return;
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
  void plain(std::string_view text) {
    std::string buffer;
    text = data_.normalizer.run(text, buffer);
    if (!data_.added.any(true)) return words(text);
    std::vector<AddedTokens::Piece> pieces;
    data_.added.split(text, true, special_ == Special::kText, pieces);
    for (const auto& piece : pieces) {
      if (piece.token) {
        ids_.push_back(piece.token->id);
      } else {
        words(piece.text);
      }
    }
  }

  void words(std::string_view text) {
    if (!text.empty()) data_.pre_tokenizer.run(text, *this);
  }

  const PipelineTokenizer& tokenizer_;
  const TokenizerData& data_;
  Special special_;
  std::vector<TokenId>& ids_;
  Lease lease_;
};

PipelineTokenizer::PipelineTokenizer(TokenizerData data)
    : data_(std::move(data)), decoder_(*data_.vocabulary, data_.decode) {
  flags_.assign(data_.vocabulary->size(), 0);
  for (const AddedToken& token : data_.added.all()) {
    if (token.id < 0 || u32(token.id) >= flags_.size()) continue;
    flags_[u32(token.id)] =
        u8((token.special ? kSpecial : 0) | (token.is_control() ? kControl : 0));
  }
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
