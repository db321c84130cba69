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

  // `text` is not empty; its words are views of it or of buffers that live until word() returns.
  void run(std::string_view text, WordSink& sink) const { step(0, text, sink); }
  [[nodiscard]] u64 size() const { return steps_.size(); }

 private:
  struct Step {
    std::unique_ptr<Splitter> splitter;  // null: the prefix step
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false;
  };
  void step(u64 index, std::string_view text, WordSink& sink) const;
  void split(u64 index, std::string_view text, WordSink& sink) const;
  std::vector<Step> steps_;
};

}  // namespace orrery::text
