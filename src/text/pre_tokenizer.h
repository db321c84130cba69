// PreTokenizer: cuts a text into the words that the model sees one at a time.
//
// A list of steps; every piece that a step makes goes through the rest of the list before the next
// piece is made, so a text of any length streams through without lists of pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/splitter.h"

namespace orrery::text {

// What becomes of a match, and of the text between matches (Hugging Face's names).
enum class SplitBehavior : u8 {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous,
};

// Which pieces Metaspace puts its mark before.
enum class Prepend : u8 { kNever, kFirst, kAlways };

// Who takes the words.
class WordSink {
 public:
  virtual ~WordSink() = default;
  virtual void word(std::string_view text) = 0;
};

class PreTokenizer {
 public:
  // `invert`: what the splitter does not find are the matches.
  void add_split(std::unique_ptr<Splitter> splitter, SplitBehavior behavior, bool invert);
  // Puts a space before a piece that does not begin with one.
  void add_prefix_space();
  // SentencePiece's spaces: `mark` for each space, and before a piece that does not begin with it.
  // `split`: words begin at marks.
  void add_metaspace(std::string mark, Prepend prepend, bool split);

  // `text` is not empty; its words are views of it or of buffers that live until word() returns.
  // `at_start`: it is the beginning of the whole text.
  void run(std::string_view text, bool at_start, WordSink& sink) const {
    step(0, text, at_start, sink);
  }
  [[nodiscard]] u64 size() const { return steps_.size(); }

 private:
  struct Step {
    std::unique_ptr<Splitter> splitter;  // null: the step puts something before the piece
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;
    std::string mark;  // Metaspace's; empty: the step prefixes a space
    Prepend prepend = Prepend::kAlways;
  };
  void step(u64 index, std::string_view text, bool at_start, WordSink& sink) const;
  void split(u64 index, std::string_view text, bool at_start, WordSink& sink) const;
  void prefix(u64 index, std::string_view text, bool at_start, WordSink& sink) const;
  std::vector<Step> steps_;
};

}  // namespace orrery::text
