// The tokenizer as a pipeline: added tokens, normaliser, pre-tokenizer, model, tokens around it,
// decoder.
//
// Every reader (tokenizer.json, GGUF, ...) fills a TokenizerData; this is the one engine that runs
// it.
#pragma once

#include <memory>
#include <mutex>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/model.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace orrery::text {

struct TokenizerData {
  std::unique_ptr<Vocabulary> vocabulary =
      std::make_unique<Vocabulary>();  // the model points at it
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<Model> model;
  std::vector<TokenId> prefix, suffix;  // put around a text when asked for
  DecodeRules decode;
  std::optional<TokenId> bos, eos;
  std::string pre_tokenizer_name;

  [[nodiscard]] bool knows(u64 id) const;
};

class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenizerData data);

  std::vector<TokenId> encode(std::string_view text, Special special, bool add) const override;
  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  void decode_push(DecodeState& state, TokenId id, bool keep_special,
                   std::string& out) const override;
  void decode_finish(DecodeState& state, std::string& out) const override;
  std::string token_bytes(TokenId id) const override;
  std::string_view token_name(TokenId id) const override;
  u32 vocab_size() const override { return u32(flags_.size()); }
  bool is_special(TokenId id) const override { return has_flag(id, kSpecial); }
  std::optional<TokenId> find(std::string_view token) const override;
  std::optional<TokenId> bos() const override { return data_.bos; }
  std::optional<TokenId> eos() const override { return data_.eos; }
  std::string_view pre_tokenizer_name() const override { return data_.pre_tokenizer_name; }

 private:
  class Lease;  // a Scratch borrowed for one call
  class Encoder;
  static constexpr u8 kSpecial = 1, kControl = 2;
  [[nodiscard]] bool has_flag(TokenId id, u8 flag) const {
    return id >= 0 && u32(id) < flags_.size() && (flags_[u32(id)] & flag);
  }

  TokenizerData data_;
  Decoder decoder_;
  std::vector<u8> flags_;                 // [ids]
  std::vector<const AddedToken*> by_id_;  // sorted
  std::vector<const AddedToken*> by_content_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;  // kept for the warm caches in them
};

}  // namespace orrery::text
