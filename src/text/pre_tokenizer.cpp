// See pre_tokenizer.h.
#include "text/pre_tokenizer.h"

namespace orrery::text {

namespace {

// Puts matches and the gaps between them together as a SplitBehavior says, and hands them on. The
// piece that may still grow is held back.
template <typename Emit>
class Joiner {
 public:
  Joiner(SplitBehavior behavior, Emit emit) : behavior_(behavior), emit_(emit) {}

  void put(u64 begin, u64 end, bool is_match) {
    if (begin == end) return;
    if (behavior_ == SplitBehavior::kRemoved) {
      if (!is_match) emit_(begin, end);
      return;
    }
    if (open_ && joins(is_match)) {
      end_ = end;
      // A match that took its gap is complete; for the other behaviours the last part decides.
      last_is_match_ = behavior_ == SplitBehavior::kMergedWithNext ? false : is_match;
      return;
    }
    flush();
    begin_ = begin, end_ = end, last_is_match_ = is_match, open_ = true;
  }

  void flush() {
    if (open_) emit_(begin_, end_);
    open_ = false;
  }

 private:
  [[nodiscard]] bool joins(bool is_match) const {
    switch (behavior_) {
      case SplitBehavior::kMergedWithPrevious:
        return is_match && !last_is_match_;
      case SplitBehavior::kMergedWithNext:
        return !is_match && last_is_match_;
      case SplitBehavior::kContiguous:
        return is_match == last_is_match_;
      default:
        return false;
    }
  }
  SplitBehavior behavior_;
  Emit emit_;
  u64 begin_ = 0, end_ = 0;
  bool last_is_match_ = false;
  bool open_ = false;
};

}  // namespace

void PreTokenizer::add_split(std::unique_ptr<Splitter> splitter, SplitBehavior behavior,
                             bool invert) {
  steps_.push_back({std::move(splitter), behavior, invert, {}, {}});
}

void PreTokenizer::add_prefix_space() { steps_.emplace_back(); }

void PreTokenizer::add_metaspace(std::string mark, Prepend prepend, bool split) {
  steps_.push_back({nullptr, {}, false, mark, prepend});
  if (split) {
    add_split(literal_splitter(std::move(mark)), SplitBehavior::kMergedWithNext, false);
  }
}

void PreTokenizer::step(u64 index, std::string_view text, bool at_start, WordSink& sink) const {
  if (index == steps_.size()) {
    sink.word(text);
  } else if (steps_[index].splitter) {
    split(index, text, at_start, sink);
  } else {
    prefix(index, text, at_start, sink);
  }
}

void PreTokenizer::prefix(u64 index, std::string_view text, bool at_start, WordSink& sink) const {
  const Step& here = steps_[index];
  if (here.mark.empty()) {
    if (text[0] == ' ') return step(index + 1, text, at_start, sink);
    return step(index + 1, " " + std::string(text), at_start, sink);
  }
  std::string marked;
  marked.reserve(text.size() + text.size() / 2 + here.mark.size());
  const bool begins_so = text[0] == ' ' || text.starts_with(here.mark);
  const bool wanted =
      here.prepend == Prepend::kAlways || (here.prepend == Prepend::kFirst && at_start);
  if (wanted && !begins_so) marked = here.mark;
  for (const char c : text) {
    if (c == ' ') {
      marked += here.mark;
    } else {
      marked += c;
    }
  }
  step(index + 1, marked, at_start, sink);
}

void PreTokenizer::split(u64 index, std::string_view text, bool at_start, WordSink& sink) const {
  const Step& here = steps_[index];
  const auto pass_on = [&](u64 begin, u64 end) {
    step(index + 1, text.substr(begin, end - begin), at_start && begin == 0, sink);
  };
  Joiner joiner(here.behavior, pass_on);
  u64 done = 0;
  Match match;
  while (done < text.size() && here.splitter->find(text, done, match)) {
    joiner.put(done, match.begin, here.invert);
    joiner.put(match.begin, match.end, !here.invert);
    done = match.end;
  }
  joiner.put(done, text.size(), here.invert);
  joiner.flush();
}

}  // namespace orrery::text
