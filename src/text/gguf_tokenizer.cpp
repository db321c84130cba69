// The tokenizer of a GGUF file, from its tokenizer.ggml.* metadata.
//
// The file names its pre-tokenizer by a word; what that word means is the table below. A word that
// is not in it is an error: a guessed pattern would cut words wrongly and nobody would notice.
#include <array>

#include "text/bpe.h"
#include "text/patterns.h"
#include "text/pipeline.h"
#include "text/reader.h"

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

Result<TokenId> checked_id(i64 id, std::string_view what, const Vocabulary& vocabulary) {
  if (id < 0 || id >= i64(vocabulary.size())) {
    return fail("{} is token {}, outside the vocabulary of {}", what, id, vocabulary.size());
  }
  return TokenId(id);
}

// Tokens that are looked for in the text: control tokens and those that a user defined.
Result<void> read_tokens(const Tokenizer::GgufMetadata& metadata, TokenizerData& data) {
  u64 bytes = 0;
  for (const std::string& token : metadata.tokens) bytes += token.size();
  data.vocabulary->reserve(metadata.tokens.size(), bytes);
  for (u64 id = 0; id < metadata.tokens.size(); ++id) {
    CHECK_OK(data.vocabulary->add_alias(id, metadata.tokens[id]));
  }
  for (u64 id = 0; id < metadata.token_types.size(); ++id) {
    const i64 type = metadata.token_types[id];
    if (type < kNormal || type > kByte) return fail("token {} has the unknown type {}", id, type);
    if (type != kControl && type != kUserDefined) continue;
    AddedToken token;
    token.id = TokenId(id);
    token.content = metadata.tokens[id];
    token.special = type == kControl;
    const std::string pattern = token.content;
    CHECK_OK(data.added.add(std::move(token), pattern));
  }
  return {};
}

Result<void> read_ends(const Tokenizer::GgufMetadata& metadata, bool bos_by_default,
                       TokenizerData& data) {
  if (metadata.bos) {
    TRY(const TokenId id,
        checked_id(*metadata.bos, "tokenizer.ggml.bos_token_id", *data.vocabulary));
    data.bos = id;
  }
  if (metadata.eos) {
    TRY(const TokenId id,
        checked_id(*metadata.eos, "tokenizer.ggml.eos_token_id", *data.vocabulary));
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

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_gguf(const GgufMetadata& metadata) {
  if (metadata.tokens.empty()) return fail("the file has no tokenizer.ggml.tokens");
  if (!metadata.token_types.empty() && metadata.token_types.size() != metadata.tokens.size()) {
    return fail("tokenizer.ggml.token_type has {} entries for {} tokens",
                metadata.token_types.size(), metadata.tokens.size());
  }
  if (metadata.model != "gpt2") {
    return fail("the tokenizer '{}' (tokenizer.ggml.model) is not supported", metadata.model);
  }
  TokenizerData data;
  data.pre_tokenizer_name = metadata.pre;
  CHECK_OK(read_tokens(metadata, data));
  CHECK_OK(read_byte_level(metadata, data));
  return std::make_unique<PipelineTokenizer>(std::move(data));
}

}  // namespace orrery::text
