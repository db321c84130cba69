// Runs a reader of JSON events (a nlohmann/json SAX handler) over a text from outside.
//
// The reader stops by returning false and says why in its `problem`; exceptions end here.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace orrery::checkpoint {

// What nlohmann/json says about a syntax error, without its code and cut to a readable length.
[[nodiscard]] std::string json_problem(const std::exception& error);

template <typename Reader>
[[nodiscard]] Result<void> read_json(std::string_view text, Reader& reader) {
  // nlohmann/json takes a zero byte for the end and would not look at what stands after it.
  if (text.find('\0') != text.npos) return fail("not valid JSON: there is a zero byte");
  try {
    if (nlohmann::json::sax_parse(text.data(), text.data() + text.size(), &reader)) return {};
  } catch (const std::exception& error) {
    return fail("not valid JSON: {}", json_problem(error));
  }
  return fail("{}", reader.problem);
}

}  // namespace orrery::checkpoint
