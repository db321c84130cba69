// The parameters of a GET: "session=…&run=1", decoded; what is no number is an error that names it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "serve/errors.h"

namespace orrery::serve {

class Query {
 public:
  // At most 32 parameters; one that stands twice is an error.
  [[nodiscard]] static Checked<Query> parse(std::string_view text);
  [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise = "") const;
  [[nodiscard]] Checked<std::optional<u64>> number(std::string_view name) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace orrery::serve
