// Normalizer: what is done to a text before it is cut: Unicode normal forms, replacements, a
// prefix.
//
// A list of steps, each of which rewrites the whole text. Invalid UTF-8 passes through every step
// as it is, except where a step is defined to repair it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

enum class NormalForm : u8 { kNfc, kNfd, kNfkc, kNfkd };

class Normalizer {
 public:
  void add(NormalForm form) { steps_.emplace_back(form); }

  [[nodiscard]] bool is_identity() const { return steps_.empty(); }
  // `text` normalised: a view of `text` itself when nothing changes, else of `buffer`.
  [[nodiscard]] std::string_view run(std::string_view text, std::string& buffer) const;

 private:
  using Step = std::variant<NormalForm>;
  std::vector<Step> steps_;
};

}  // namespace orrery::text
