// Decoder: ids to text.
//
// What each token contributes is worked out once, when the tokenizer is loaded; decoding is then
// copying bytes, watching for characters that are not complete, and minding the start of the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace orrery::text {

struct DecodeRules {
  enum class Kind : u8 {
    kByteLevel,  // names spell bytes in GPT-2's alphabet
    kPieces,     // names are text, after replacements
  };
  // Tokens like "<0x0A>" in a row: are they bytes of characters, and what if they are not?
  enum class ByteTokens : u8 {
    kText,          // they are text like any other
    kAllOrNothing,  // a row that is not all valid UTF-8 becomes one U+FFFD a token (Hugging Face)
    kByCharacter,   // what is no character becomes one U+FFFD a byte (SentencePiece)
  };
  // What is dropped at the start of a text: the space that the tokenizer has put there.
  enum class Start : u8 {
    kKeep,
    kDropContent,    // up to `drop_count` of `drop_content`, of the text (Strip)
    kDropInFirst,    // every `drop_content` in the name of the first token (Metaspace)
    kDropOneMark,    // U+2581 at the start of the first piece (SentencePiece)
    kDropEveryMark,  // at the start of every piece until there is text
  };
  struct Replacement {
    std::string from, to;
  };

  Kind kind = Kind::kPieces;
  ByteTokens byte_tokens = ByteTokens::kText;
  Start start = Start::kKeep;
  std::vector<Replacement> replacements;  // of names, one after another
  std::string separator;                  // between tokens
  std::string drop_content;
  u32 drop_count = 0;
  std::optional<TokenId> unknown;  // a token that is shown as...
  std::string unknown_text;        // ...this
};

// A name that decoding sees, of a token that is not (or not so) in the vocabulary.
struct AddedName {
  TokenId id;
  std::string_view name;
  bool invisible_start;  // control: the rules for the start of the text go on after it
};

class Decoder {
 public:
  Decoder(const Vocabulary& vocabulary, const std::vector<AddedName>& added, DecodeRules rules);

  // Appends what `id` completes to `out`; ids that nobody has give nothing.
  void push(DecodeState& state, TokenId id, std::string& out) const;
  void finish(DecodeState& state, std::string& out) const;
  // The bytes of one token inside a running text.
  [[nodiscard]] std::string_view bytes(TokenId id) const;

 private:
  struct Entry {
    u32 begin = 0, length = 0;
    u32 first_begin = 0, first_length = 0;  // kDropInFirst: what it is as the first token
    bool known = false;
    bool plain = false;     // whole characters that need no further look
    bool is_byte = false;   // <0x..>: the text is that byte
    bool has_mark = false;  // the name begins with U+2581
    bool invisible_start = false;
  };
  void set(TokenId id, std::string_view name);
  void push_bytes(DecodeState& state, std::string_view token, std::string& out) const;
  void push_byte_token(DecodeState& state, std::string_view byte, std::string& out) const;
  void flush_byte_tokens(DecodeState& state, std::string_view run, std::string& out) const;
  void append_piece(DecodeState& state, TokenId id, const Entry& entry, std::string& out) const;
  void append_at_start(DecodeState& state, std::string_view text, std::string& out) const;

  DecodeRules rules_;
  std::string text_;            // the bytes of all tokens
  std::vector<Entry> entries_;  // [ids]
};

}  // namespace orrery::text
