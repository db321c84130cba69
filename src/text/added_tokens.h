// AddedTokens: tokens that are found in the text before anything else happens to it
// ("<|im_start|>").
//
// The leftmost match counts, and of those that begin at one place the longest. Tokens that are
// marked `normalized` are looked for in the normalised text, the others in the text as it came; the
// marks lstrip and rstrip take white space along, single_word refuses a match inside a word. The
// odd corners (a refused match is skipped as a whole) are Hugging Face's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/tokenizer.h"

namespace orrery::text {

struct AddedToken {
  TokenId id = 0;
  std::string content;
  std::string decoded;  // what decoding shows: Hugging Face shows the normal form
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
  bool special = false;  // hidden in a reply
  bool control = false;  // text of a user must never become it
  bool native = true;    // the maker's library finds it in text
};

// True of an empty text too.
[[nodiscard]] bool is_white_space(std::string_view text);

// One search structure over a set of contents (a trie).
class TokenTrie {
 public:
  static constexpr u64 kContentBytesMax = 1024;  // bounds the work a position can cost
  [[nodiscard]] Result<void> add(std::string_view content, u32 value);

  struct Hit {
    u64 begin = 0, end = 0;
    u32 value = 0;
  };
  // The leftmost-longest match at or after `from`.
  [[nodiscard]] bool find(std::string_view text, u64 from, Hit& hit) const;
  // The length of the longest match at exactly `at`; 0: none.
  [[nodiscard]] u64 match_at(std::string_view text, u64 at, u32& value) const;
  [[nodiscard]] bool empty() const { return nodes_.empty(); }

 private:
  struct Node {
    u32 first_edge = kNone;  // edges of a node are a linked list: few nodes have more than one
    u32 value = kNone;
  };
  struct Edge {
    u8 byte;
    u32 target;
    u32 next;
  };
  static constexpr u32 kNone = ~u32(0);
  static constexpr u64 kNodesMax = u64(1) << 24;
  [[nodiscard]] u32 child(u32 node, u8 byte) const;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  u32 roots_[256] = {};  // the node after the first byte; 0: none
};

class AddedTokens {
 public:
  // `pattern`: what to look for (the content, or its normal form for a token that is `normalized`).
  [[nodiscard]] Result<void> add(AddedToken token, std::string_view pattern);

  [[nodiscard]] const std::vector<AddedToken>& all() const { return tokens_; }
  [[nodiscard]] bool any(bool normalized) const { return !tries_[normalized].empty(); }

  struct Piece {
    std::string_view text;
    const AddedToken* token = nullptr;  // null: plain text
  };
  // Cuts `text` into plain pieces and tokens, of the tokens with this `normalized` mark.
  // `skip_control`: control tokens stay text.
  void split(std::string_view text, bool normalized, Special mode,
             std::vector<Piece>& pieces) const;

 private:
  std::vector<AddedToken> tokens_;
  TokenTrie tries_[2];  // [normalized]
};

}  // namespace orrery::text
