// The reader of tokenizer.json, the file of Hugging Face tokenizers.
//
// The vocabulary and the merges are most of the file (up to 30 MB) and are read by simdjson as they
// stand; the small parts go to json_parts. Nothing depends on the order of the fields.
#include <algorithm>
#include <set>

#include "text/bpe.h"
#include "text/json_parts.h"
#include "text/json_readers.h"
#include "text/pipeline.h"
#include "text/reader.h"
#include "text/unigram.h"

namespace orrery::text {

namespace {

namespace od = simdjson::ondemand;

// The file as read, before anything is built from it.
struct File {
  TokenizerData data;
  std::string normalizer = "null", pre_tokenizer = "null", post_processor = "null",
              decoder = "null";
  std::string model_type;
  std::optional<std::string> unknown;
  BpeOptions bpe;
  std::optional<MergeTable> merges;
  std::string early_merges;       // the list, when it stands before the vocabulary
  std::vector<f64> scores;        // unigram: of each piece, which is its id
  std::optional<u64> unknown_id;  // unigram
  std::vector<AddedToken> added;
};

std::string raw_json(od::value value) {
  return std::string(simdjson::to_json_string(value).value());
}

Result<void> read_vocabulary(od::object object, Vocabulary& vocabulary) {
  const u64 count = object.count_fields();
  vocabulary.reserve(count, count * 8);
  VocabularyReader reader(vocabulary);
  for (auto field : object) {
    const std::string_view name = field.unescaped_key();
    CHECK_OK(reader.add(field.value().get_uint64(), name));
  }
  return reader.flush();
}

// Unigram: a list of [piece, score], in order of id.
Result<void> read_scored_pieces(od::array list, File& file) {
  const u64 pieces = list.count_elements();
  file.data.vocabulary->reserve(pieces, pieces * 8);
  for (auto entry : list) {
    std::string_view name;
    f64 score = 0;
    u32 count = 0;
    for (auto side : entry.get_array()) {
      if (count == 0) name = side.get_string().value();
      if (count == 1) score = side.get_double();
      ++count;
    }
    if (count != 2) return fail("piece {} is not a name and a score", file.scores.size());
    CHECK_OK(file.data.vocabulary->add(file.scores.size(), name));
    file.scores.push_back(score);
  }
  return {};
}

Result<void> read_merges(od::array list, File& file) {
  MergeReader merges(*file.data.vocabulary, list.count_elements());
  for (auto entry : list) {
    od::value value = entry.value();
    if (value.type() == od::json_type::string) {  // "left right"
      CHECK_OK(merges.add(value.get_string().value()));
      continue;
    }
    std::string_view sides[2];
    u32 count = 0;
    for (auto side : value.get_array()) {
      if (count == 2) return fail("a merge has more than two sides");
      sides[count++] = side.get_string().value();
    }
    if (count != 2) return fail("a merge has fewer than two sides");
    CHECK_OK(merges.add(sides[0], sides[1]));
  }
  TRY(file.merges, merges.finish());
  return {};
}

// An option that must be absent, null, zero or empty for the model to be what we implement.
Result<void> require_unset(std::string_view key, od::value value) {
  switch (value.type()) {
    case od::json_type::null:
      return {};
    case od::json_type::string:
      if (value.get_string().value().empty()) return {};
      break;
    case od::json_type::number:
      if (value.get_double().value() == 0) return {};
      break;
    default:
      break;
  }
  return fail("the model's \"{}\" is not supported", key);
}

Result<void> read_model_field(std::string_view key, od::value value, File& file) {
  if (key == "type") {
    file.model_type = std::string(value.get_string().value());
  } else if (key == "vocab") {
    if (file.data.vocabulary->count() != 0) return fail("there are two vocabularies");
    if (value.type() == od::json_type::array) {
      return read_scored_pieces(value.get_array(), file);
    }
    return read_vocabulary(value.get_object(), *file.data.vocabulary);
  } else if (key == "merges") {
    if (file.data.vocabulary->count() == 0) {
      file.early_merges = raw_json(value);
    } else {
      CHECK_OK(read_merges(value.get_array(), file));
    }
  } else if (key == "unk_token") {
    if (!value.is_null()) file.unknown = std::string(value.get_string().value());
  } else if (key == "unk_id") {
    if (!value.is_null()) file.unknown_id = value.get_uint64();
  } else if (key == "fuse_unk") {
    file.bpe.fuse_unknown = value.get_bool();
  } else if (key == "byte_fallback") {
    file.bpe.byte_fallback = value.get_bool();
  } else if (key == "ignore_merges") {
    file.bpe.ignore_merges = value.get_bool();
  } else if (key == "dropout" || key == "continuing_subword_prefix" ||
             key == "end_of_word_suffix") {
    CHECK_OK(require_unset(key, value));
  } else {
    return fail("the model has the unknown option \"{}\"", key);
  }
  return {};
}

Result<void> read_added_tokens(od::array list, File& file) {
  for (auto entry : list) {
    AddedToken token;
    u64 id = 0;
    for (auto field : entry.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "id") id = field.value().get_uint64();
      if (key == "content") token.content = std::string(field.value().get_string().value());
      if (key == "single_word") token.single_word = field.value().get_bool();
      if (key == "lstrip") token.lstrip = field.value().get_bool();
      if (key == "rstrip") token.rstrip = field.value().get_bool();
      if (key == "normalized") token.normalized = field.value().get_bool();
      if (key == "special") token.special = field.value().get_bool();
    }
    if (id >= Vocabulary::kIdsMax) return fail("the added token id {} is out of range", id);
    token.id = TokenId(id);
    file.added.push_back(std::move(token));
  }
  return {};
}

Result<void> read_root(od::document& document, File& file) {
  for (auto field : document.get_object()) {
    const std::string_view key = field.unescaped_key();
    od::value value = field.value();
    if (key == "model") {
      for (auto option : value.get_object()) {
        const std::string option_key(std::string_view(option.unescaped_key()));
        CHECK_OK(read_model_field(option_key, option.value(), file));
      }
    } else if (key == "added_tokens") {
      CHECK_OK(read_added_tokens(value.get_array(), file));
    } else if (key == "normalizer") {
      file.normalizer = raw_json(value);
    } else if (key == "pre_tokenizer") {
      file.pre_tokenizer = raw_json(value);
    } else if (key == "post_processor") {
      file.post_processor = raw_json(value);
    } else if (key == "decoder") {
      file.decoder = raw_json(value);
    }
  }
  // At the end of a document there is no current location: an error is what we want to see.
  if (!document.current_location().error()) return fail("there is text after the JSON object");
  return {};
}

// An added token has the id that the model gives its text; one that the model does not know has the
// id that the file says, which must be free.
Result<void> add_tokens(File& file) {
  TokenizerData& data = file.data;
  std::set<TokenId> ids;
  std::set<std::string, std::less<>> contents;
  for (AddedToken& token : file.added) {
    if (token.content.empty()) continue;
    const auto known = data.vocabulary->find(token.content);
    if (known ? *known != token.id : data.vocabulary->has(token.id)) {
      return fail("the added token '{}' has id {}, which the vocabulary knows otherwise",
                  token.content, token.id);
    }
    if (!ids.insert(token.id).second || !contents.insert(token.content).second) {
      return fail("the added token '{}' (id {}) is there twice", token.content, token.id);
    }
    token.control = token.special || !is_white_space(token.content);
    std::string buffer;
    const std::string pattern(token.normalized ? data.normalizer.run(token.content, buffer)
                                               : token.content);
    CHECK_OK(data.added.add(std::move(token), pattern));
  }
  return {};
}

Result<void> make_bpe(File& file, bool byte_level) {
  TokenizerData& data = file.data;
  if (!file.merges) return fail("the model has no merges");
  file.bpe.byte_level = byte_level;
  if (file.unknown) {
    file.bpe.unknown = data.vocabulary->find(*file.unknown);
    if (!file.bpe.unknown) {
      return fail("the unknown token '{}' is not in the vocabulary", *file.unknown);
    }
  }
  data.model = std::make_unique<BpeModel>(*data.vocabulary, std::move(*file.merges), file.bpe);
  return {};
}

Result<void> make_unigram(File& file) {
  constexpr f64 kUnknownPenalty = 10;
  UnigramOptions options;
  options.byte_fallback = file.bpe.byte_fallback;
  if (file.unknown_id) {
    if (*file.unknown_id >= file.scores.size()) return fail("\"unk_id\" is not in the vocabulary");
    options.unknown = TokenId(*file.unknown_id);
  }
  options.unknown_score =
      *std::min_element(file.scores.begin(), file.scores.end()) - kUnknownPenalty;
  auto model = std::make_unique<UnigramModel>(*file.data.vocabulary, options);
  for (u64 id = 0; id < file.scores.size(); ++id) {
    if (!model->add(file.data.vocabulary->name(TokenId(id)), TokenId(id), file.scores[id])) {
      return fail("the pieces are too many");
    }
  }
  file.data.model = std::move(model);
  return {};
}

Result<std::unique_ptr<Tokenizer>> build(File& file) {
  TokenizerData& data = file.data;
  if (data.vocabulary->count() == 0) return fail("the model has no vocabulary");
  JsonParts parts;
  CHECK_OK(read_normalizer(file.normalizer, data));
  CHECK_OK(read_pre_tokenizer(file.pre_tokenizer, data, parts));
  const std::string type = !file.model_type.empty() ? file.model_type
                           : file.scores.empty()    ? "BPE"
                                                    : "Unigram";
  if (type == "BPE" && file.scores.empty()) {
    CHECK_OK(make_bpe(file, parts.byte_level));
  } else if (type == "Unigram" && !file.scores.empty() && !parts.byte_level) {
    CHECK_OK(make_unigram(file));
  } else {
    return fail("a model of type '{}' like this one is not supported", type);
  }
  CHECK_OK(add_tokens(file));
  CHECK_OK(read_post_processor(file.post_processor, data));
  CHECK_OK(read_decoder(file.decoder, data));
  return std::make_unique<PipelineTokenizer>(std::move(data));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_tokenizer_json(simdjson::padded_string_view json) {
  if (json.size() > kJsonFileBytesMax) return fail("tokenizer.json has more than 64 MiB");
  try {
    File file;
    od::parser parser;
    od::document document = parser.iterate(json);
    CHECK_OK(read_root(document, file));
    if (!file.early_merges.empty()) {
      const simdjson::padded_string list(file.early_merges);
      od::document merges = parser.iterate(list);
      CHECK_OK(read_merges(merges.get_array(), file));
    }
    return build(file);
  } catch (const simdjson::simdjson_error& error) {
    return fail("tokenizer.json: {}", error.what());
  }
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_tokenizer_json(std::string_view json) {
  return read_tokenizer_json(simdjson::padded_string(json));
}

}  // namespace orrery::text
