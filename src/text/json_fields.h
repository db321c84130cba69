// Typed access to the fields of a small JSON object, with errors that name the field.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

inline constexpr u64 kJsonPartBytesMax = u64(8) << 20;
inline constexpr u32 kJsonDepthMax = 16;  // sequences in sequences

[[nodiscard]] inline Result<nlohmann::json> parse_part(std::string_view text,
                                                       std::string_view what) {
  if (text.size() > kJsonPartBytesMax) return fail("the {} is too large", what);
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail("the {} is not valid JSON", what);
  return json;
}

[[nodiscard]] inline Result<std::string> string_field(const nlohmann::json& object,
                                                      std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return fail("\"{}\" is not a string", key);
  return it->get<std::string>();
}

[[nodiscard]] inline Result<std::string> string_field_or(const nlohmann::json& object,
                                                         std::string_view key,
                                                         const char* otherwise) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return std::string(otherwise);
  return string_field(object, key);
}

[[nodiscard]] inline Result<bool> bool_field(const nlohmann::json& object, std::string_view key,
                                             bool otherwise) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return otherwise;
  if (!it->is_boolean()) return fail("\"{}\" is neither true nor false", key);
  return it->get<bool>();
}

[[nodiscard]] inline Result<u32> u32_field(const nlohmann::json& object, std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_unsigned() || it->get<u64>() > 0xFFFFFFFF) {
    return fail("\"{}\" is not a whole number in range", key);
  }
  return u32(it->get<u64>());
}

// The "type" of a part.
[[nodiscard]] inline Result<std::string> type_of(const nlohmann::json& part,
                                                 std::string_view what) {
  if (!part.is_object()) return fail("the {} is not an object", what);
  auto type = string_field(part, "type");
  if (!type) return at(what, type.error());
  return type;
}

// The list of a sequence, under any of two keys.
[[nodiscard]] inline Result<const nlohmann::json*> list_field(const nlohmann::json& object,
                                                              std::string_view key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array()) return fail("\"{}\" is not a list", key);
  return &*it;
}

}  // namespace orrery::text
