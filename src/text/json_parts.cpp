// See json_parts.h.
#include "text/json_parts.h"

#include "text/json_fields.h"
#include "text/patterns.h"

namespace orrery::text {

namespace {

using nlohmann::json;

Result<void> normalizer_step(const json& part, TokenizerData& data, u32 depth) {
  if (depth > kJsonDepthMax) return fail("the normalizer is nested too deeply");
  TRY(const std::string type, type_of(part, "normalizer"));
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "normalizers"));
    for (const json& step : *list) CHECK_OK(normalizer_step(step, data, depth + 1));
    return {};
  }
  if (type == "NFC") return data.normalizer.add(NormalForm::kNfc), Result<void>{};
  if (type == "NFD") return data.normalizer.add(NormalForm::kNfd), Result<void>{};
  if (type == "NFKC") return data.normalizer.add(NormalForm::kNfkc), Result<void>{};
  if (type == "NFKD") return data.normalizer.add(NormalForm::kNfkd), Result<void>{};
  return fail("the normalizer '{}' is not supported", type);
}

Result<SplitBehavior> behavior_field(const json& part) {
  TRY(const std::string name, string_field(part, "behavior"));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return fail("the split behavior '{}' is not known", name);
}

Result<void> split_step(const json& part, TokenizerData& data) {
  const auto pattern = part.find("pattern");
  if (pattern == part.end() || !pattern->is_object()) return fail("a Split has no pattern");
  TRY(const SplitBehavior behavior, behavior_field(part));
  TRY(const bool invert, bool_field(part, "invert", false));
  if (pattern->contains("String")) {
    TRY(std::string literal, string_field(*pattern, "String"));
    data.pre_tokenizer.add_split(literal_splitter(std::move(literal)), behavior, invert);
    return {};
  }
  TRY(const std::string regex, string_field(*pattern, "Regex"));
  TRY(auto splitter, make_splitter(regex));
  data.pre_tokenizer.add_split(std::move(splitter), behavior, invert);
  return {};
}

Result<void> byte_level_step(const json& part, TokenizerData& data, JsonParts& parts) {
  TRY(const bool prefix, bool_field(part, "add_prefix_space", true));
  TRY(const bool use_regex, bool_field(part, "use_regex", true));
  if (prefix) data.pre_tokenizer.add_prefix_space();
  if (use_regex) {
    data.pre_tokenizer.add_split(known_splitter(kGpt2Pattern), SplitBehavior::kIsolated, false);
  }
  parts.byte_level = true;
  return {};
}

Result<void> pre_tokenizer_step(const json& part, TokenizerData& data, JsonParts& parts,
                                u32 depth) {
  if (depth > kJsonDepthMax) return fail("the pre-tokenizer is nested too deeply");
  if (data.pre_tokenizer.size() > 64) return fail("the pre-tokenizer has too many steps");
  TRY(const std::string type, type_of(part, "pre_tokenizer"));
  if (parts.byte_level)
    return fail("the pre-tokenizer '{}' after ByteLevel is not supported", type);
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "pretokenizers"));
    for (const json& step : *list) CHECK_OK(pre_tokenizer_step(step, data, parts, depth + 1));
    return {};
  }
  if (type == "Split") return split_step(part, data);
  if (type == "ByteLevel") return byte_level_step(part, data, parts);
  if (type == "Digits") {
    TRY(const bool individual, bool_field(part, "individual_digits", false));
    data.pre_tokenizer.add_split(known_splitter(kDigitPattern),
                                 individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous,
                                 false);
    return {};
  }
  return fail("the pre-tokenizer '{}' is not supported", type);
}

// One entry of a template: {"SpecialToken": {"id": "<s>"}} or {"Sequence": {"id": "A"}}.
Result<void> template_piece(const json& piece, const json& tokens, TokenizerData& data,
                            bool& after_text) {
  if (!piece.is_object()) return fail("a piece of the template is not an object");
  if (piece.contains("Sequence")) {
    if (after_text) return fail("the template has the text twice, which is not supported");
    after_text = true;
    return {};
  }
  const auto special = piece.find("SpecialToken");
  if (special == piece.end() || !special->is_object()) {
    return fail("a piece of the template is neither a token nor the text");
  }
  TRY(const std::string name, string_field(*special, "id"));
  const auto entry = tokens.is_object() ? tokens.find(name) : tokens.end();
  if (entry == tokens.end() || !entry->is_object()) {
    return fail("the template names the token '{}', which it does not define", name);
  }
  TRY(const json* ids, list_field(*entry, "ids"));
  for (const json& id : *ids) {
    if (!id.is_number_unsigned() || id.get<u64>() >= data.vocabulary->size()) {
      return fail("the template's token '{}' has an id outside the vocabulary", name);
    }
    (after_text ? data.suffix : data.prefix).push_back(TokenId(id.get<u64>()));
  }
  return {};
}

// BertProcessing and RobertaProcessing: "cls": ["<s>", 0], "sep": ["</s>", 2] around the text.
Result<void> surround(const json& part, TokenizerData& data) {
  for (const std::string_view key : {"cls", "sep"}) {
    const auto it = part.find(key);
    if (it == part.end() || !it->is_array() || it->size() != 2 || !(*it)[1].is_number_unsigned() ||
        (*it)[1].get<u64>() >= data.vocabulary->size()) {
      return fail("\"{}\" is not a token and its id", key);
    }
    (key == "cls" ? data.prefix : data.suffix).push_back(TokenId((*it)[1].get<u64>()));
  }
  return {};
}

Result<void> post_processor_step(const json& part, TokenizerData& data, u32 depth) {
  if (depth > kJsonDepthMax) return fail("the post-processor is nested too deeply");
  TRY(const std::string type, type_of(part, "post_processor"));
  if (type == "ByteLevel") return {};  // it moves offsets, not ids
  if (type == "BertProcessing" || type == "RobertaProcessing") return surround(part, data);
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "processors"));
    for (const json& step : *list) CHECK_OK(post_processor_step(step, data, depth + 1));
    return {};
  }
  if (type != "TemplateProcessing") return fail("the post-processor '{}' is not supported", type);
  TRY(const json* pieces, list_field(part, "single"));
  const auto tokens = part.find("special_tokens");
  const json none = json::object();
  // Steps run one after another: the tokens of a later one stand outside those of an earlier one.
  TokenizerData around;
  std::swap(around.vocabulary, data.vocabulary);
  bool after_text = false;
  Result<void> result{};
  for (const json& piece : *pieces) {
    result = template_piece(piece, tokens == part.end() ? none : *tokens, around, after_text);
    if (!result) break;
  }
  std::swap(around.vocabulary, data.vocabulary);
  CHECK_OK(result);
  if (!after_text) return fail("the template has no place for the text");
  data.prefix.insert(data.prefix.begin(), around.prefix.begin(), around.prefix.end());
  data.suffix.insert(data.suffix.end(), around.suffix.begin(), around.suffix.end());
  return {};
}

Result<void> decoder_step(const json& part, TokenizerData& data, u32 depth) {
  if (depth > kJsonDepthMax) return fail("the decoder is nested too deeply");
  TRY(const std::string type, type_of(part, "decoder"));
  if (type == "ByteLevel") {
    data.decode.kind = DecodeRules::Kind::kByteLevel;
    return {};
  }
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "decoders"));
    if (list->size() != 1) return fail("a sequence of decoders is not supported");
    return decoder_step((*list)[0], data, depth + 1);
  }
  return fail("the decoder '{}' is not supported", type);
}

}  // namespace

Result<void> read_normalizer(std::string_view text, TokenizerData& data) {
  TRY(const json part, parse_part(text, "normalizer"));
  return part.is_null() ? Result<void>{} : normalizer_step(part, data, 0);
}

Result<void> read_pre_tokenizer(std::string_view text, TokenizerData& data, JsonParts& parts) {
  TRY(const json part, parse_part(text, "pre_tokenizer"));
  return part.is_null() ? Result<void>{} : pre_tokenizer_step(part, data, parts, 0);
}

Result<void> read_post_processor(std::string_view text, TokenizerData& data) {
  TRY(const json part, parse_part(text, "post_processor"));
  return part.is_null() ? Result<void>{} : post_processor_step(part, data, 0);
}

Result<void> read_decoder(std::string_view text, TokenizerData& data) {
  TRY(const json part, parse_part(text, "decoder"));
  if (part.is_null()) {
    data.decode.kind = DecodeRules::Kind::kNames;
    return {};
  }
  return decoder_step(part, data, 0);
}

}  // namespace orrery::text
