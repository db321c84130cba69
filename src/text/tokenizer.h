// Tokenizer: text to token ids and back, exactly as the maker's library does it.
//
// It is data (vocabulary, merges, pre-tokenizer, normaliser, added tokens) interpreted by one
// engine; the readers (tokenizer.json, GGUF metadata, tokenizer.model, tekken.json) only fill
// TokenizerData.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "text/vocabulary.h"

namespace orrery::text {

// What a reply's text waits for between two tokens; filled by decode_push and decode_finish.
struct DecodeState {
  std::string pending;   // bytes that are not text yet
  bool started = false;  // the rules for the start of a text are over
  u32 dropped = 0;       // spaces dropped at the start
};

enum class Special : u8 {
  kParse,   // special tokens written in the text become control tokens: for rendered templates
  kText,    // they stay text: for user content in chats and requests
  kNative,  // as the maker's library takes a plain text: Hugging Face tokenizers parse them,
            // SentencePiece and tekken do not
};

class Tokenizer {
 public:
  // `json`: the text of tokenizer.json.
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> from_tokenizer_json(
      std::string_view json);
  // `model`: the bytes of a SentencePiece tokenizer.model.
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> from_sentencepiece(
      std::string_view model);
  // `json`: the text of Mistral's tekken.json.
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> from_tekken(std::string_view json);
  // A tokenizer file of any of these kinds, or a folder with one (tokenizer.json before tekken.json
  // before tokenizer.model). Not GGUF, whose metadata belongs to the checkpoint room.
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> open(const std::filesystem::path& path);
  // The file that open() reads: `path` itself when its name says that it is one of these kinds, or
  // the tokenizer's file of a folder; empty: there is none.
  [[nodiscard]] static std::filesystem::path file_of(const std::filesystem::path& path);
  // From the tokenizer.ggml.* metadata of a GGUF file.
  struct GgufMetadata {
    std::string model;  // tokenizer.ggml.model: "gpt2", "llama", ...
    std::string pre;    // tokenizer.ggml.pre
    std::span<const std::string> tokens;
    std::span<const i64> token_types;  // empty: all normal
    std::span<const f64> scores;       // empty: none
    std::span<const std::string> merges;
    std::optional<i64> bos, eos, unknown, pad, eot;
    std::optional<bool> add_bos, add_eos, add_space_prefix;
  };
  [[nodiscard]] static Result<std::unique_ptr<Tokenizer>> from_gguf(const GgufMetadata& metadata);
  virtual ~Tokenizer() = default;

  // Ids of `text`, any bytes. `add`: with the tokens that the tokenizer puts around a text (BOS,
  // EOS).
  [[nodiscard]] virtual std::vector<TokenId> encode(std::string_view text, Special special,
                                                    bool add) const = 0;

  // The bytes of ids as the maker's decode() gives them (special tokens kept when `keep_special`);
  // ids outside the vocabulary give nothing. Invalid UTF-8 becomes U+FFFD as in the maker's
  // library.
  [[nodiscard]] virtual std::string decode(std::span<const TokenId> ids,
                                           bool keep_special) const = 0;

  // decode() in steps: appends to `out` the text that `id` completes, and at the end what is left.
  // The parts put together are decode() of all ids.
  virtual void decode_push(DecodeState& state, TokenId id, bool keep_special,
                           std::string& out) const = 0;
  virtual void decode_finish(DecodeState& state, std::string& out) const = 0;

  // The bytes that one token stands for inside a running text (may be part of a character).
  [[nodiscard]] virtual std::string token_bytes(TokenId id) const = 0;
  // The token as it stands in the vocabulary file ("Ġthe").
  [[nodiscard]] virtual std::string_view token_name(TokenId id) const = 0;

  [[nodiscard]] virtual u32 vocab_size() const = 0;
  [[nodiscard]] virtual bool is_special(TokenId id) const = 0;  // control tokens: hidden in a reply
  [[nodiscard]] virtual std::optional<TokenId> find(std::string_view token) const = 0;
  [[nodiscard]] virtual std::optional<TokenId> bos() const = 0;
  [[nodiscard]] virtual std::optional<TokenId> eos() const = 0;
  [[nodiscard]] virtual std::string_view pre_tokenizer_name() const = 0;
};

}  // namespace orrery::text
