// The tokenizer of a GGUF file, from its tokenizer.ggml.* metadata.
//
// The file names its pre-tokenizer by a word; what that word means is the table below. A word that
// is not in it is an error: a guessed pattern would cut words wrongly and nobody would notice.
#include <array>
#include <cmath>

#include "text/bpe.h"
#include "text/patterns.h"
#include "text/pipeline.h"
#include "text/reader.h"
#include "text/score_merges.h"

namespace orrery::text {

namespace {

// Numbers of tokenizer.ggml.token_type.
enum GgufType : i64 {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

struct PreTokenizerRow {
  std::string_view name;
  std::array<std::string_view, 3> patterns;  // applied one after another
  bool ignore_merges = false;
  bool nfc = false;
};

constexpr PreTokenizerRow kPreTokenizers[] = {
    {"gpt2", {kGpt2Pattern}},
    {"gpt-2", {kGpt2Pattern}},
    {"smollm", {kDigitPattern, kGpt2Pattern}},
    {"starcoder", {kDigitPattern, kGpt2Pattern}},
    {"llama3", {kLlama3Pattern}, true},
    {"llama-v3", {kLlama3Pattern}, true},
    {"llama-bpe", {kLlama3Pattern}, true},
    {"qwen2", {kQwen2Pattern}, false, true},
    {"deepseek-r1-qwen", {kQwen2Pattern}, false, true},
    {"qwen35", {kQwen35Pattern}, false, true},
    {"glm4", {kLlama3Pattern}},
    {"chatglm-bpe", {kLlama3Pattern}},
    {"deepseek-v3", {kThreeDigitsPattern, kChineseJapanesePattern, kDeepSeek3Pattern}},
    {"gpt-4o", {kO200kPattern}},
    {"llama4", {kO200kPattern}},
    {"tekken", {kTekkenPattern}, true},
};

Result<const PreTokenizerRow*> pre_tokenizer_row(std::string_view name) {
  for (const PreTokenizerRow& row : kPreTokenizers) {
    if (row.name == name) return &row;
  }
  return fail("the pre-tokenizer '{}' (tokenizer.ggml.pre) is not supported", name);
}

Result<TokenId> checked_id(i64 id, std::string_view what, u64 count) {
  if (id < 0 || u64(id) >= count) {
    return fail("{} is token {}, outside the vocabulary of {}", what, id, count);
  }
  return TokenId(id);
}

// Tokens that are looked for in the text become added tokens: control tokens and those that a user
// defined. The model knows them too in byte-level files (their merges may name them), and nowhere
// else.
Result<void> read_tokens(const Tokenizer::GgufMetadata& metadata, bool byte_level,
                         TokenizerData& data) {
  u64 bytes = 0;
  for (const std::string& token : metadata.tokens) bytes += token.size();
  data.vocabulary->reserve(metadata.tokens.size(), bytes);
  for (u64 id = 0; id < metadata.tokens.size(); ++id) {
    const i64 type = metadata.token_types.empty() ? i64(kNormal) : metadata.token_types[id];
    if (type < kNormal || type > kByte) return fail("token {} has the unknown type {}", id, type);
    const std::string& name = metadata.tokens[id];
    const bool added =
        type == kControl || type == kUserDefined || (type == kUnknown && !byte_level);
    if (!added || byte_level) CHECK_OK(data.vocabulary->add_alias(id, name));
    if (!added) continue;
    AddedToken token;
    token.id = TokenId(id);
    token.content = name;
    token.special = type != kUserDefined;
    token.control = token.special || !is_white_space(name);
    CHECK_OK(data.added.add(std::move(token), name));
  }
  return {};
}

Result<void> read_ends(const Tokenizer::GgufMetadata& metadata, bool bos_by_default,
                       TokenizerData& data) {
  if (metadata.bos) {
    TRY(const TokenId id,
        checked_id(*metadata.bos, "tokenizer.ggml.bos_token_id", metadata.tokens.size()));
    data.bos = id;
  }
  if (metadata.eos) {
    TRY(const TokenId id,
        checked_id(*metadata.eos, "tokenizer.ggml.eos_token_id", metadata.tokens.size()));
    data.eos = id;
  }
  if (metadata.add_bos.value_or(bos_by_default)) {
    if (!data.bos)
      return fail("the file asks for a first token but has no tokenizer.ggml.bos_token_id");
    data.prefix.push_back(*data.bos);
  }
  if (metadata.add_eos.value_or(false)) {
    if (!data.eos)
      return fail("the file asks for a last token but has no tokenizer.ggml.eos_token_id");
    data.suffix.push_back(*data.eos);
  }
  return {};
}

Result<void> read_byte_level(const Tokenizer::GgufMetadata& metadata, TokenizerData& data) {
  TRY(const PreTokenizerRow* row, pre_tokenizer_row(metadata.pre));
  for (const std::string_view pattern : row->patterns) {
    if (pattern.empty()) continue;
    TRY(auto splitter, make_splitter(pattern));
    data.pre_tokenizer.add_split(std::move(splitter), SplitBehavior::kIsolated, false);
  }
  if (row->nfc) data.normalizer.add(NormalForm::kNfc);
  MergeReader merges(*data.vocabulary, metadata.merges.size());
  for (const std::string& merge : metadata.merges) CHECK_OK(merges.add(merge));
  TRY(MergeTable table, merges.finish());
  BpeOptions options;
  options.byte_level = true;
  options.ignore_merges = row->ignore_merges;
  data.model = std::make_unique<BpeModel>(*data.vocabulary, std::move(table), options);
  data.decode.kind = DecodeRules::Kind::kByteLevel;
  return read_ends(metadata, row->ignore_merges && row->name != "tekken", data);
}

// "llama": SentencePiece's BPE, with the settings that its files of that time had.
Result<void> read_sentencepiece(const Tokenizer::GgufMetadata& metadata, TokenizerData& data) {
  if (metadata.scores.size() != metadata.tokens.size()) {
    return fail("tokenizer.ggml.scores has {} entries for {} tokens", metadata.scores.size(),
                metadata.tokens.size());
  }
  std::vector<ScoredPiece> pieces;
  for (u64 id = 0; id < metadata.tokens.size(); ++id) {
    if (!std::isfinite(metadata.scores[id])) return fail("the score of token {} is no number", id);
    const i64 type = metadata.token_types.empty() ? i64(kNormal) : metadata.token_types[id];
    if (type == kNormal) pieces.push_back({TokenId(id), f32(metadata.scores[id])});
  }
  TRY(MergeTable merges, merges_from_scores(*data.vocabulary, pieces));
  BpeOptions options;
  options.byte_fallback = true;
  options.fuse_unknown = true;
  if (metadata.unknown) {
    TRY(options.unknown,
        checked_id(*metadata.unknown, "tokenizer.ggml.unknown_token_id", metadata.tokens.size()));
  }
  data.model = std::make_unique<BpeModel>(*data.vocabulary, std::move(merges), options);
  SentencePieceRules rules;
  rules.add_dummy_prefix = metadata.add_space_prefix.value_or(true);
  rules.remove_extra_whitespaces = false;
  data.decode.byte_tokens = DecodeRules::ByteTokens::kByCharacter;
  data.decode.replacements.push_back({"\u2581", " "});
  if (rules.add_dummy_prefix) data.decode.start = DecodeRules::Start::kDropOneMark;
  CHECK_OK(data.normalizer.add_sentencepiece(std::move(rules)));
  return read_ends(metadata, true, data);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_gguf(const GgufMetadata& metadata) {
  if (metadata.tokens.empty()) return fail("the file has no tokenizer.ggml.tokens");
  if (!metadata.token_types.empty() && metadata.token_types.size() != metadata.tokens.size()) {
    return fail("tokenizer.ggml.token_type has {} entries for {} tokens",
                metadata.token_types.size(), metadata.tokens.size());
  }
  const bool byte_level = metadata.model == "gpt2";
  if (!byte_level && metadata.model != "llama") {
    return fail("the tokenizer '{}' (tokenizer.ggml.model) is not supported", metadata.model);
  }
  TokenizerData data;
  data.pre_tokenizer_name = byte_level ? metadata.pre : "sentencepiece";
  CHECK_OK(read_tokens(metadata, byte_level, data));
  CHECK_OK(byte_level ? read_byte_level(metadata, data) : read_sentencepiece(metadata, data));
  return std::make_unique<PipelineTokenizer>(std::move(data));
}

}  // namespace orrery::text
