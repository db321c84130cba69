// See json_parts.h.
#include "text/json_parts.h"

#include "text/base64.h"
#include "text/json_fields.h"
#include "text/patterns.h"
#include "text/unicode.h"
#include "text/unicode_library.h"

namespace orrery::text {

namespace {

using nlohmann::json;

constexpr u64 kStepsMax = 64;

// {"String": "…"} or {"Regex": "…"}
Result<std::unique_ptr<Splitter>> pattern_field(const json& part) {
  const auto pattern = part.find("pattern");
  if (pattern == part.end() || !pattern->is_object()) return fail("a step has no \"pattern\"");
  if (pattern->contains("String")) {
    TRY(std::string literal, string_field(*pattern, "String"));
    return literal_splitter(std::move(literal));
  }
  TRY(const std::string regex, string_field(*pattern, "Regex"));
  return make_splitter(regex);
}

Result<void> precompiled_step(const json& part, TokenizerData& data) {
  TRY(const std::string base64, string_field(part, "precompiled_charsmap"));
  if (base64.empty()) return {};
  TRY(const std::string blob, decode_base64(base64));
  TRY(Charsmap charsmap, Charsmap::parse(blob));
  data.normalizer.add_precompiled(std::move(charsmap));
  return {};
}

Result<void> normalizer_step(const json& part, TokenizerData& data, u32 depth) {
  if (depth > kJsonDepthMax) return fail("the normalizer is nested too deeply");
  if (data.normalizer.size() > kStepsMax) return fail("the normalizer has too many steps");
  TRY(const std::string type, type_of(part, "normalizer"));
  Normalizer& normalizer = data.normalizer;
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "normalizers"));
    for (const json& step : *list) CHECK_OK(normalizer_step(step, data, depth + 1));
  } else if (type == "NFC") {
    normalizer.add(NormalForm::kNfc);
  } else if (type == "NFD") {
    normalizer.add(NormalForm::kNfd);
  } else if (type == "NFKC") {
    normalizer.add(NormalForm::kNfkc);
  } else if (type == "NFKD") {
    normalizer.add(NormalForm::kNfkd);
  } else if (type == "Lowercase") {
    normalizer.add_lower_case();
  } else if (type == "StripAccents") {
    normalizer.add_strip_accents();
  } else if (type == "Strip") {
    TRY(const bool left, bool_field(part, "strip_left", true));
    TRY(const bool right, bool_field(part, "strip_right", true));
    normalizer.add_strip(left, right);
  } else if (type == "Prepend") {
    TRY(std::string prefix, string_field(part, "prepend"));
    normalizer.add_prepend(std::move(prefix));
  } else if (type == "Replace") {
    TRY(auto pattern, pattern_field(part));
    TRY(std::string content, string_field(part, "content"));
    normalizer.add_replace(std::move(pattern), std::move(content));
  } else if (type == "Precompiled") {
    return precompiled_step(part, data);
  } else {
    return fail("the normalizer '{}' is not supported", type);
  }
  return {};
}

Result<SplitBehavior> behavior_field(const json& part) {
  if (!part.contains("behavior")) return SplitBehavior::kIsolated;
  TRY(const std::string name, string_field(part, "behavior"));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return fail("the split behavior '{}' is not known", name);
}

Result<void> split_step(const json& part, TokenizerData& data) {
  TRY(auto pattern, pattern_field(part));
  TRY(const SplitBehavior behavior, behavior_field(part));
  TRY(const bool invert, bool_field(part, "invert", false));
  data.pre_tokenizer.add_split(std::move(pattern), behavior, invert);
  return {};
}

// The replacement mark of Metaspace: one character.
Result<std::string> mark_field(const json& part) {
  TRY(const std::string mark, string_field(part, "replacement"));
  if (!is_one_character(mark)) return fail("Metaspace's replacement is not one character");
  return mark;
}

Result<Prepend> prepend_field(const json& part) {
  TRY(const bool prefix, bool_field(part, "add_prefix_space", true));
  TRY(const std::string scheme,
      string_field_or(part, "prepend_scheme", prefix ? "always" : "never"));
  if (!prefix && scheme != "never") {
    return fail("Metaspace's add_prefix_space and prepend_scheme disagree");
  }
  if (scheme == "never") return Prepend::kNever;
  if (scheme == "first") return Prepend::kFirst;
  if (scheme == "always") return Prepend::kAlways;
  return fail("Metaspace's prepend_scheme '{}' is not known", scheme);
}

Result<void> metaspace_step(const json& part, TokenizerData& data) {
  TRY(std::string mark, mark_field(part));
  TRY(const Prepend prepend, prepend_field(part));
  TRY(const bool split, bool_field(part, "split", true));
  data.pre_tokenizer.add_metaspace(std::move(mark), prepend, split);
  return {};
}

Result<void> digits_step(const json& part, TokenizerData& data) {
  TRY(const bool individual, bool_field(part, "individual_digits", false));
  const auto behavior = individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
  data.pre_tokenizer.add_split(predicate_splitter(library::is_number), behavior, false);
  return {};
}

Result<void> delimiter_step(const json& part, TokenizerData& data) {
  TRY(std::string delimiter, string_field(part, "delimiter"));
  data.pre_tokenizer.add_split(literal_splitter(std::move(delimiter)), SplitBehavior::kRemoved,
                               false);
  return {};
}

Result<void> punctuation_step(const json& part, TokenizerData& data) {
  TRY(const SplitBehavior behavior, behavior_field(part));
  data.pre_tokenizer.add_split(predicate_splitter(library::is_punctuation), behavior, false);
  return {};
}

void whitespace_step(TokenizerData& data) {
  data.pre_tokenizer.add_split(predicate_splitter(is_space), SplitBehavior::kRemoved, false);
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
  if (data.pre_tokenizer.size() > kStepsMax) return fail("the pre-tokenizer has too many steps");
  TRY(const std::string type, type_of(part, "pre_tokenizer"));
  if (parts.byte_level) {
    return fail("the pre-tokenizer '{}' after ByteLevel is not supported", type);
  }
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "pretokenizers"));
    for (const json& step : *list) CHECK_OK(pre_tokenizer_step(step, data, parts, depth + 1));
    return {};
  }
  if (type == "Split") return split_step(part, data);
  if (type == "ByteLevel") return byte_level_step(part, data, parts);
  if (type == "Metaspace") return metaspace_step(part, data);
  if (type == "Digits") return digits_step(part, data);
  if (type == "Punctuation") return punctuation_step(part, data);
  if (type == "CharDelimiterSplit") return delimiter_step(part, data);
  if (type == "WhitespaceSplit") return whitespace_step(data), Result<void>{};
  if (type == "BertPreTokenizer") return whitespace_step(data), punctuation_step(part, data);
  if (type == "Whitespace") {
    data.pre_tokenizer.add_split(word_or_symbols_splitter(), SplitBehavior::kRemoved, true);
    return {};
  }
  return fail("the pre-tokenizer '{}' is not supported", type);
}

// One entry of a template: {"SpecialToken": {"id": "<s>"}} or {"Sequence": {"id": "A"}}.
Result<void> template_piece(const json& piece, const json& tokens, const TokenizerData& data,
                            TokenizerData& around, bool& after_text) {
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
    if (!id.is_number_unsigned() || !data.knows(id.get<u64>())) {
      return fail("the template's token '{}' has an id outside the vocabulary", name);
    }
    (after_text ? around.suffix : around.prefix).push_back(TokenId(id.get<u64>()));
  }
  return {};
}

// BertProcessing and RobertaProcessing: "cls": ["<s>", 0], "sep": ["</s>", 2] around the text.
Result<void> surround(const json& part, TokenizerData& data) {
  for (const std::string_view key : {"cls", "sep"}) {
    const auto it = part.find(key);
    if (it == part.end() || !it->is_array() || it->size() != 2 || !(*it)[1].is_number_unsigned() ||
        !data.knows((*it)[1].get<u64>())) {
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
  bool after_text = false;
  for (const json& piece : *pieces) {
    CHECK_OK(
        template_piece(piece, tokens == part.end() ? none : *tokens, data, around, after_text));
  }
  if (!after_text) return fail("the template has no place for the text");
  data.prefix.insert(data.prefix.begin(), around.prefix.begin(), around.prefix.end());
  data.suffix.insert(data.suffix.end(), around.suffix.begin(), around.suffix.end());
  return {};
}

Result<void> strip_decoder(const json& part, DecodeRules& rules, bool fused) {
  TRY(rules.drop_content, string_field(part, "content"));
  TRY(rules.drop_count, u32_field(part, "start"));
  TRY(const u32 stop, u32_field(part, "stop"));
  if (stop != 0 || !fused || rules.start != DecodeRules::Start::kKeep ||
      rules.drop_content.empty()) {
    return fail("a Strip decoder other than of the start of the whole text is not supported");
  }
  rules.start = DecodeRules::Start::kDropContent;
  return {};
}

Result<void> metaspace_decoder(const json& part, DecodeRules& rules) {
  TRY(const std::string mark, mark_field(part));
  TRY(const Prepend prepend, prepend_field(part));
  rules.replacements.push_back({mark, " "});
  if (prepend == Prepend::kNever) return {};
  rules.start = DecodeRules::Start::kDropInFirst;
  rules.drop_content = mark;
  return {};
}

Result<void> replace_decoder(const json& part, DecodeRules& rules) {
  const auto pattern = part.find("pattern");
  if (pattern == part.end() || !pattern->is_object() || !pattern->contains("String")) {
    return fail("a Replace decoder with a regular expression is not supported");
  }
  TRY(std::string from, string_field(*pattern, "String"));
  TRY(std::string to, string_field(part, "content"));
  if (from.empty()) return fail("a Replace decoder replaces nothing");
  if (to.size() > 64) return fail("a Replace decoder's content is too long");
  rules.replacements.push_back({std::move(from), std::move(to)});
  return {};
}

// Chains of decoders are lists of passes over the tokens. The order that files use is known: names
// are replaced, byte tokens joined, everything fused, the start stripped; another order is an
// error.
struct DecoderChain {
  enum Stage : u8 { kNames, kBytes, kFused };
  Stage stage = kNames;
  u32 steps = 0;
};

Result<void> decoder_step(const json& part, DecodeRules& rules, DecoderChain& chain, u32 depth) {
  if (depth > kJsonDepthMax) return fail("the decoder is nested too deeply");
  TRY(const std::string type, type_of(part, "decoder"));
  if (type == "Sequence") {
    TRY(const json* list, list_field(part, "decoders"));
    for (const json& step : *list) CHECK_OK(decoder_step(step, rules, chain, depth + 1));
    return {};
  }
  if (++chain.steps > kStepsMax) return fail("the decoder has too many steps");
  const bool alone = chain.steps == 1;
  if (rules.kind == DecodeRules::Kind::kByteLevel && type != "Fuse") {
    return fail("the decoder '{}' after ByteLevel is not supported", type);
  }
  if (type == "ByteLevel" && alone) {
    rules.kind = DecodeRules::Kind::kByteLevel;
  } else if (type == "Replace" && chain.stage == DecoderChain::kNames) {
    return replace_decoder(part, rules);
  } else if (type == "ByteFallback" && chain.stage == DecoderChain::kNames) {
    rules.byte_tokens = DecodeRules::ByteTokens::kAllOrNothing;
    chain.stage = DecoderChain::kBytes;
  } else if (type == "Fuse") {
    chain.stage = DecoderChain::kFused;
  } else if (type == "Strip") {
    return strip_decoder(part, rules, chain.stage == DecoderChain::kFused);
  } else if (type == "Metaspace" && alone) {
    return metaspace_decoder(part, rules);
  } else {
    return fail("the decoder '{}' (step {} of its chain) is not supported", type, chain.steps);
  }
  return {};
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
  data.decode.kind = DecodeRules::Kind::kPieces;
  if (part.is_null()) {
    data.decode.separator.assign(1, ' ');
    return {};
  }
  DecoderChain chain;
  return decoder_step(part, data.decode, chain, 0);
}

}  // namespace orrery::text
