// The reader of tekken.json, Mistral's tokenizer since NeMo: byte-level BPE in the manner of
// tiktoken.
//
// A token's rank is both its id (after the special tokens) and its place in the order of merges:
// two neighbours merge when together they are a token, lowest rank first. A whole word that is a
// token is taken as it is. mistral-common never takes text for a special token.
#include "text/base64.h"
#include "text/byte_alphabet.h"
#include "text/json_readers.h"
#include "text/pipeline.h"
#include "text/score_merges.h"

namespace orrery::text {

namespace {

namespace od = simdjson::ondemand;

// The special tokens of files that do not list them (versions up to v7), by rank.
constexpr std::string_view kUnlistedSpecial[] = {"<unk>",
                                                 "<s>",
                                                 "</s>",
                                                 "[INST]",
                                                 "[/INST]",
                                                 "[AVAILABLE_TOOLS]",
                                                 "[/AVAILABLE_TOOLS]",
                                                 "[TOOL_RESULTS]",
                                                 "[/TOOL_RESULTS]",
                                                 "[TOOL_CALLS]",
                                                 "[IMG]",
                                                 "<pad>",
                                                 "[IMG_BREAK]",
                                                 "[IMG_END]",
                                                 "[PREFIX]",
                                                 "[MIDDLE]",
                                                 "[SUFFIX]",
                                                 "[SYSTEM_PROMPT]",
                                                 "[/SYSTEM_PROMPT]",
                                                 "[TOOL_CONTENT]"};

struct File {
  std::string pattern;
  u64 vocabulary_size = 0, special_count = 0;  // default_vocab_size counts the special ones too
  std::vector<std::string> special;
  bool lists_special = false;
};

Result<void> read_config(od::object object, File& file) {
  for (auto field : object) {
    const std::string_view key = field.unescaped_key();
    if (key == "pattern") file.pattern = std::string(field.value().get_string().value());
    if (key == "default_vocab_size") file.vocabulary_size = field.value().get_uint64();
    if (key == "default_num_special_tokens") file.special_count = field.value().get_uint64();
  }
  if (file.pattern.empty()) return fail("the config has no pattern");
  if (file.vocabulary_size > Vocabulary::kIdsMax || file.special_count >= file.vocabulary_size) {
    return fail("the config's {} tokens and {} special tokens make no sense", file.vocabulary_size,
                file.special_count);
  }
  return {};
}

Result<void> read_special(od::array list, File& file) {
  file.lists_special = true;
  for (auto entry : list) {
    u64 rank = 0;
    std::string name;
    for (auto field : entry.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "rank") rank = field.value().get_uint64();
      if (key == "token_str") name = std::string(field.value().get_string().value());
    }
    if (rank != file.special.size()) return fail("special token {} is out of order", rank);
    file.special.push_back(std::move(name));
  }
  return {};
}

// The bytes of a token, spelled in the alphabet of byte-level BPE.
Result<void> read_vocabulary(od::array list, const File& file, Vocabulary& vocabulary) {
  const u64 count = file.vocabulary_size - file.special_count;
  vocabulary.reserve(count, count * 12);
  std::string spelling;
  u64 expected = 0;
  for (auto entry : list) {
    if (expected == count) break;  // the file may list more than the model has
    u64 rank = 0;
    std::string_view base64;
    for (auto field : entry.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "rank") rank = field.value().get_uint64();
      if (key == "token_bytes") base64 = field.value().get_string();
    }
    if (rank != expected) return fail("token {} stands at place {}", rank, expected);
    TRY(const std::string bytes, decode_base64(base64));
    if (bytes.empty()) return fail("token {} is empty", rank);
    spelling.clear();
    append_spelling(spelling, bytes);
    CHECK_OK(vocabulary.add(file.special_count + expected, spelling));
    ++expected;
  }
  if (expected < count) return fail("the file has {} tokens of {}", expected, count);
  return {};
}

Result<void> add_special(File& file, TokenizerData& data) {
  if (!file.lists_special)
    file.special.assign(std::begin(kUnlistedSpecial), std::end(kUnlistedSpecial));
  if (file.special.size() > file.special_count) {
    return fail("{} special tokens do not fit {}", file.special.size(), file.special_count);
  }
  while (file.special.size() < file.special_count) {
    file.special.push_back(fmt::format("<SPECIAL_{}>", file.special.size()));
  }
  for (u64 id = 0; id < file.special.size(); ++id) {
    AddedToken token;
    token.id = TokenId(id);
    token.content = file.special[id];
    token.special = token.control = true;
    token.native = false;
    if (token.content == "<s>") data.bos = token.id;
    if (token.content == "</s>") data.eos = token.id;
    CHECK_OK(data.added.add(std::move(token), file.special[id]));
  }
  if (data.bos) data.prefix.push_back(*data.bos);
  return {};
}

Result<std::unique_ptr<Tokenizer>> build(File& file, TokenizerData data) {
  CHECK_OK(add_special(file, data));
  TRY(auto splitter, make_splitter(file.pattern));
  data.pre_tokenizer.add_split(std::move(splitter), SplitBehavior::kIsolated, false);
  std::vector<ScoredPiece> pieces;
  for (u64 id = file.special_count; id < file.vocabulary_size; ++id) {
    pieces.push_back({TokenId(id), -f32(id)});
  }
  TRY(MergeTable merges, merges_from_scores(*data.vocabulary, pieces));
  BpeOptions options;
  options.byte_level = true;
  options.ignore_merges = true;
  data.model = std::make_unique<BpeModel>(*data.vocabulary, std::move(merges), options);
  data.decode.kind = DecodeRules::Kind::kByteLevel;
  data.pre_tokenizer_name = "tekken";
  return std::make_unique<PipelineTokenizer>(std::move(data));
}

// The parts are looked up by name, so their order in the file does not matter.
Result<std::unique_ptr<Tokenizer>> read_file(simdjson::padded_string_view json) {
  od::parser parser;
  od::document document = parser.iterate(json);
  od::object root = document.get_object();
  File file;
  TokenizerData data;
  CHECK_OK(read_config(root["config"].get_object(), file));
  CHECK_OK(read_vocabulary(root["vocab"].get_array(), file, *data.vocabulary));
  od::array special;
  const auto error = root["special_tokens"].get_array().get(special);
  if (!error) {
    CHECK_OK(read_special(special, file));
  } else if (error != simdjson::NO_SUCH_FIELD && error != simdjson::INCORRECT_TYPE) {
    return fail("{}", simdjson::error_message(error));
  }
  return build(file, std::move(data));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_tekken(simdjson::padded_string_view json) {
  if (json.size() > kJsonFileBytesMax) return fail("tekken.json has more than 64 MiB");
  try {
    auto tokenizer = read_file(json);
    if (!tokenizer) return at("tekken.json", tokenizer.error());
    return tokenizer;
  } catch (const simdjson::simdjson_error& error) {
    return fail("tekken.json: {}", error.what());
  }
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_tekken(std::string_view json) {
  return read_tekken(simdjson::padded_string(json));
}

}  // namespace orrery::text
