// The reader of tokenizer.json, the file of Hugging Face tokenizers.
//
// The vocabulary and the merges are most of the file (up to 30 MB) and are read by simdjson as they
// stand; the small parts go to json_parts. Nothing depends on the order of the fields.
#include <simdjson.h>

#include "text/bpe.h"
#include "text/json_parts.h"
#include "text/pipeline.h"
#include "text/reader.h"

namespace orrery::text {

namespace {

namespace od = simdjson::ondemand;

constexpr u64 kFileBytesMax = u64(64) << 20;

// The file as read, before anything is built from it.
struct File {
  TokenizerData data;
  std::string normalizer = "null", pre_tokenizer = "null", post_processor = "null",
              decoder = "null";
  std::string model_type;
  std::optional<std::string> unknown;
  BpeOptions bpe;
  std::optional<MergeTable> merges;
  std::string early_merges;  // the list, when it stands before the vocabulary
  std::vector<AddedToken> added;
};

std::string raw_json(od::value value) {
  return std::string(simdjson::to_json_string(value).value());
}

Result<void> read_vocabulary(od::object object, u64 file_bytes, Vocabulary& vocabulary) {
  vocabulary.reserve(file_bytes / 64, file_bytes / 8);
  for (auto field : object) {
    const std::string_view name = field.unescaped_key();
    CHECK_OK(vocabulary.add(field.value().get_uint64(), name));
  }
  return {};
}

Result<void> read_merges(od::array list, u64 file_bytes, File& file) {
  MergeReader merges(*file.data.vocabulary, file_bytes / 40);
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

Result<void> read_model_field(std::string_view key, od::value value, u64 file_bytes, File& file) {
  if (key == "type") {
    file.model_type = std::string(value.get_string().value());
  } else if (key == "vocab") {
    CHECK_OK(read_vocabulary(value.get_object(), file_bytes, *file.data.vocabulary));
  } else if (key == "merges") {
    if (file.data.vocabulary->count() == 0) {
      file.early_merges = raw_json(value);
    } else {
      CHECK_OK(read_merges(value.get_array(), file_bytes, file));
    }
  } else if (key == "unk_token") {
    if (!value.is_null()) file.unknown = std::string(value.get_string().value());
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

Result<void> read_root(od::document& document, u64 file_bytes, File& file) {
  for (auto field : document.get_object()) {
    const std::string_view key = field.unescaped_key();
    od::value value = field.value();
    if (key == "model") {
      for (auto option : value.get_object()) {
        const std::string option_key(std::string_view(option.unescaped_key()));
        CHECK_OK(read_model_field(option_key, option.value(), file_bytes, file));
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

// Added tokens join the vocabulary. One that the model does not know gets the id that the file
// says, which must be free.
Result<void> add_tokens(File& file) {
  TokenizerData& data = file.data;
  for (AddedToken& token : file.added) {
    if (token.content.empty()) continue;
    const auto known = data.vocabulary->find(token.content);
    if (!known) {
      CHECK_OK(data.vocabulary->add(u64(token.id), token.content));
    } else if (*known != token.id) {
      return fail("the added token '{}' has id {}, but the vocabulary gives it {}", token.content,
                  token.id, *known);
    }
    std::string buffer;
    const std::string pattern(token.normalized ? data.normalizer.run(token.content, buffer)
                                               : token.content);
    CHECK_OK(data.added.add(std::move(token), pattern));
  }
  return {};
}

Result<std::unique_ptr<Tokenizer>> build(File& file) {
  TokenizerData& data = file.data;
  if (!file.model_type.empty() && file.model_type != "BPE") {
    return fail("the model type '{}' is not supported", file.model_type);
  }
  if (data.vocabulary->count() == 0) return fail("the model has no vocabulary");
  if (!file.merges) return fail("the model has no merges");
  JsonParts parts;
  CHECK_OK(read_normalizer(file.normalizer, data));
  CHECK_OK(read_pre_tokenizer(file.pre_tokenizer, data, parts));
  file.bpe.byte_level = parts.byte_level;
  if (file.unknown) {
    file.bpe.unknown = data.vocabulary->find(*file.unknown);
    if (!file.bpe.unknown)
      return fail("the unknown token '{}' is not in the vocabulary", *file.unknown);
  }
  data.model = std::make_unique<BpeModel>(*data.vocabulary, std::move(*file.merges), file.bpe);
  CHECK_OK(add_tokens(file));
  CHECK_OK(read_post_processor(file.post_processor, data));
  CHECK_OK(read_decoder(file.decoder, data));
  return std::make_unique<PipelineTokenizer>(std::move(data));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_tokenizer_json(std::string_view json) {
  if (json.size() > kFileBytesMax) return fail("tokenizer.json has more than 64 MiB");
  try {
    File file;
    const simdjson::padded_string padded(json);
    od::parser parser;
    od::document document = parser.iterate(padded);
    CHECK_OK(read_root(document, json.size(), file));
    if (!file.early_merges.empty()) {
      const simdjson::padded_string list(file.early_merges);
      od::document merges = parser.iterate(list);
      CHECK_OK(read_merges(merges.get_array(), list.size(), file));
    }
    return build(file);
  } catch (const simdjson::simdjson_error& error) {
    return fail("tokenizer.json: {}", error.what());
  }
}

}  // namespace orrery::text
