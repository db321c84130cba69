// The reader of SentencePiece's tokenizer.model (sentencepiece_model.proto).
//
// The file is one protocol buffer message: the pieces with their scores and types, and a few
// settings of the trainer and the normaliser. Both kinds of model, BPE and unigram, are read; text
// becomes ids as in SentencePiece's own library, which never takes text for a control piece.
#include <algorithm>
#include <cmath>
#include <limits>

#include "text/pipeline.h"
#include "text/protobuf.h"
#include "text/score_merges.h"
#include "text/unigram.h"

namespace orrery::text {

namespace {

constexpr u64 kFileBytesMax = u64(64) << 20;

// Numbers of SentencePiece.Type and TrainerSpec.ModelType.
enum PieceType : u64 { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
enum ModelType : u64 { kUnigram = 1, kBpe };

struct Piece {
  std::string_view name;
  f32 score = 0;
  u64 type = kNormal;
};

struct ModelFile {
  std::vector<Piece> pieces;
  u64 model_type = kUnigram;
  bool byte_fallback = false;
  std::string unknown_text = " \u2047 ";
  std::string bos = "<s>", eos = "</s>";
  SentencePieceRules rules;
};

Result<Piece> read_piece(std::string_view message) {
  Piece piece;
  for (ProtobufReader reader(message); !reader.done();) {
    TRY(const auto field, reader.next());
    if (field.number == 1) piece.name = field.bytes;
    if (field.number == 2) piece.score = field.number_f32();
    if (field.number == 3) piece.type = field.integer;
  }
  if (piece.name.empty()) return fail("a piece is empty");
  if (piece.type < kNormal || piece.type > kByte) return fail("a piece has an unknown type");
  if (!std::isfinite(piece.score)) return fail("a piece has a score that is no number");
  return piece;
}

Result<void> read_trainer(std::string_view message, ModelFile& file) {
  for (ProtobufReader reader(message); !reader.done();) {
    TRY(const auto field, reader.next());
    if (field.number == 3) file.model_type = field.integer;
    if (field.number == 24) file.rules.whitespace_as_suffix = field.flag();
    if (field.number == 35) file.byte_fallback = field.flag();
    if (field.number == 44) file.unknown_text = field.bytes;
    if (field.number == 46) file.bos = field.bytes;
    if (field.number == 47) file.eos = field.bytes;
  }
  return {};
}

Result<void> read_normalizer_rules(std::string_view message, ModelFile& file) {
  for (ProtobufReader reader(message); !reader.done();) {
    TRY(const auto field, reader.next());
    if (field.number == 2 && !field.bytes.empty()) {
      TRY(file.rules.charsmap, Charsmap::parse(field.bytes));
    }
    if (field.number == 3) file.rules.add_dummy_prefix = field.flag();
    if (field.number == 4) file.rules.remove_extra_whitespaces = field.flag();
    if (field.number == 5) file.rules.escape_whitespaces = field.flag();
  }
  return {};
}

Result<void> refuse_denormalizer(std::string_view message) {
  for (ProtobufReader reader(message); !reader.done();) {
    TRY(const auto field, reader.next());
    if (field.number == 2 && !field.bytes.empty()) return fail("a denormalizer is not supported");
  }
  return {};
}

Result<ModelFile> read_file(std::string_view bytes) {
  ModelFile file;
  for (ProtobufReader reader(bytes); !reader.done();) {
    TRY(const auto field, reader.next());
    if (field.number == 1) {
      if (file.pieces.size() >= Vocabulary::kIdsMax) return fail("there are too many pieces");
      auto piece = read_piece(field.bytes);
      if (!piece) return at(fmt::format("piece {}", file.pieces.size()), piece.error());
      file.pieces.push_back(*piece);
    }
    if (field.number == 2) CHECK_OK(read_trainer(field.bytes, file));
    if (field.number == 3) CHECK_OK(read_normalizer_rules(field.bytes, file));
    if (field.number == 5) CHECK_OK(refuse_denormalizer(field.bytes));
  }
  if (file.pieces.empty()) return fail("there are no pieces");
  return file;
}

// Control pieces, the unknown one and, for BPE, a user's symbols, which are found before merging.
Result<void> add_token(const ModelFile& file, u64 id, TokenizerData& data) {
  const Piece& piece = file.pieces[id];
  AddedToken token;
  token.id = TokenId(id);
  token.content = piece.name;
  token.special = piece.type == kControl;
  token.normalized = piece.type == kUserDefined;
  token.native = piece.type == kUserDefined;
  token.control = piece.type != kUserDefined;
  if (token.special && piece.name == file.bos) data.bos = token.id;
  if (token.special && piece.name == file.eos) data.eos = token.id;
  if (piece.type == kUnknown) {
    if (data.decode.unknown) return fail("there are two unknown pieces");
    data.decode.unknown = token.id;
  }
  return data.added.add(std::move(token), piece.name);
}

Result<void> read_pieces(ModelFile& file, TokenizerData& data) {
  u64 bytes = 0, byte_pieces = 0;
  for (const Piece& piece : file.pieces) bytes += piece.name.size();
  data.vocabulary->reserve(file.pieces.size(), bytes);
  for (u64 id = 0; id < file.pieces.size(); ++id) {
    const Piece& piece = file.pieces[id];
    const bool symbol = piece.type == kUserDefined;
    byte_pieces += piece.type == kByte;
    if (symbol) file.rules.user_defined.emplace_back(piece.name);
    if (piece.type == kControl || piece.type == kUnknown || (symbol && file.model_type == kBpe)) {
      CHECK_OK(add_token(file, id, data));
    } else {
      CHECK_OK(data.vocabulary->add(id, piece.name));
    }
  }
  if (!data.decode.unknown) return fail("there is no unknown piece");
  if (file.byte_fallback != (byte_pieces > 0)) {
    return fail("there are {} byte pieces, but byte_fallback is {}", byte_pieces,
                file.byte_fallback);
  }
  if (byte_pieces != 0 && byte_pieces != 256) return fail("there are {} byte pieces", byte_pieces);
  return {};
}

Result<void> make_bpe(const ModelFile& file, TokenizerData& data) {
  std::vector<ScoredPiece> pieces;
  for (u64 id = 0; id < file.pieces.size(); ++id) {
    if (file.pieces[id].type == kUnused) return fail("unused pieces of BPE are not supported");
    if (file.pieces[id].type == kNormal) pieces.push_back({TokenId(id), file.pieces[id].score});
  }
  TRY(MergeTable merges, merges_from_scores(*data.vocabulary, pieces));
  BpeOptions options;
  options.byte_fallback = file.byte_fallback;
  options.fuse_unknown = true;
  options.unknown = data.decode.unknown;
  data.model = std::make_unique<BpeModel>(*data.vocabulary, std::move(merges), options);
  return {};
}

Result<void> make_unigram(const ModelFile& file, TokenizerData& data) {
  constexpr f32 kUnknownPenalty = 10;
  f32 least = std::numeric_limits<f32>::max(), most = std::numeric_limits<f32>::lowest();
  for (const Piece& piece : file.pieces) {
    if (piece.type != kNormal) continue;
    least = std::min(least, piece.score);
    most = std::max(most, piece.score);
  }
  UnigramOptions options;
  options.single_precision = true;
  options.byte_fallback = file.byte_fallback;
  options.unknown = data.decode.unknown;
  options.unknown_score = least - kUnknownPenalty;
  auto model = std::make_unique<UnigramModel>(*data.vocabulary, options);
  for (u64 id = 0; id < file.pieces.size(); ++id) {
    const Piece& piece = file.pieces[id];
    if (piece.type != kNormal && piece.type != kUserDefined) continue;
    // A user's symbol gets a score that no other way to write it can beat.
    const f64 score =
        piece.type == kUserDefined ? f64(f32(piece.name.size()) * most) - 0.1 : f64(piece.score);
    if (!model->add(piece.name, TokenId(id), score)) return fail("the pieces are too many");
  }
  data.model = std::move(model);
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_sentencepiece(std::string_view bytes) {
  if (bytes.size() > kFileBytesMax) return fail("tokenizer.model has more than 64 MiB");
  auto read = read_file(bytes);
  if (!read) return at("tokenizer.model", read.error());
  ModelFile& file = *read;
  TokenizerData data;
  CHECK_OK(read_pieces(file, data));
  if (file.model_type == kBpe) {
    CHECK_OK(make_bpe(file, data));
  } else if (file.model_type == kUnigram) {
    CHECK_OK(make_unigram(file, data));
  } else {
    return fail("tokenizer.model: the model type {} is not supported", file.model_type);
  }
  DecodeRules& decode = data.decode;
  decode.byte_tokens = DecodeRules::ByteTokens::kByCharacter;
  decode.replacements.push_back({"\u2581", " "});
  decode.unknown_text = file.unknown_text;
  if (file.rules.remove_extra_whitespaces) {
    decode.start = DecodeRules::Start::kDropEveryMark;
  } else if (file.rules.add_dummy_prefix) {
    decode.start = DecodeRules::Start::kDropOneMark;
  }
  CHECK_OK(data.normalizer.add_sentencepiece(std::move(file.rules)));
  if (data.bos) data.prefix.push_back(*data.bos);
  data.pre_tokenizer_name = "sentencepiece";
  return std::make_unique<PipelineTokenizer>(std::move(data));
}

}  // namespace orrery::text
