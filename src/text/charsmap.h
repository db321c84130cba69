// Charsmap: SentencePiece's table of replacements, as its files carry it ("precompiled_charsmap").
//
// A double-array trie (Darts-clone, Yata et al.) maps byte strings to places in a pool of strings
// that end in zero bytes. The blob comes from a file: every step is checked against its ends.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

class Charsmap {
 public:
  // Four bytes of trie size, the trie, the pool.
  [[nodiscard]] static Result<Charsmap> parse(std::string_view blob);

  struct Hit {
    u64 bytes = 0;  // how much of the text it replaces; 0: nothing
    std::string_view replacement;
  };
  [[nodiscard]] Hit longest(std::string_view text) const { return search(text, true); }
  [[nodiscard]] Hit shortest(std::string_view text) const { return search(text, false); }

 private:
  [[nodiscard]] Hit search(std::string_view text, bool longest) const;
  std::vector<u32> units_;
  std::string pool_;
};

}  // namespace orrery::text
