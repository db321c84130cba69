// Normalizer: what is done to a text before it is cut: Unicode normal forms, replacements, a
// prefix.
//
// A list of steps, each of which rewrites the whole text. Invalid UTF-8 passes through every step
// as it is, except where a step is defined to repair it (SentencePiece's).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/charsmap.h"
#include "text/splitter.h"

namespace orrery::text {

enum class NormalForm : u8 { kNfc, kNfd, kNfkc, kNfkd };

// SentencePiece's normaliser: its table of replacements and its rules for spaces, in one pass.
struct SentencePieceRules {
  std::optional<Charsmap> charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;  // a space becomes U+2581
  bool whitespace_as_suffix = false;
  std::vector<std::string> user_defined;  // symbols that the table leaves alone
};

class Normalizer {
 public:
  class Step {
   public:
    virtual ~Step() = default;
    // Appends `text` rewritten to `out`; false (and nothing appended): it stays as it is.
    [[nodiscard]] virtual bool run(std::string_view text, std::string& out) const = 0;
  };

  void add(NormalForm form);
  void add_lower_case();
  void add_strip_accents();
  void add_strip(bool left, bool right);
  void add_prepend(std::string prefix);
  void add_replace(std::unique_ptr<Splitter> pattern, std::string content);
  void add_precompiled(Charsmap charsmap);  // as Hugging Face applies it, grapheme by grapheme
  [[nodiscard]] Result<void> add_sentencepiece(SentencePieceRules rules);

  [[nodiscard]] u64 size() const { return steps_.size(); }
  // `text` normalised: a view of `text` itself when nothing changes, else of `buffer`.
  [[nodiscard]] std::string_view run(std::string_view text, std::string& buffer) const;

 private:
  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace orrery::text
