// Config: look-up by key with the reader's marks, and typed access that says in one line what is
// wrong.
#include "checkpoint/config.h"

#include <cmath>

#include "checkpoint/json.h"
#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

std::string_view type_name(const Value& value) {
  constexpr std::string_view kNames[] = {"null",
                                         "a bool",
                                         "an integer",
                                         "a float",
                                         "a string",
                                         "an array",
                                         "an object",
                                         "an array of strings",
                                         "an array of integers",
                                         "an array of floats"};
  static_assert(std::size(kNames) == std::variant_size_v<decltype(Value::data)>);
  return kNames[value.data.index()];
}

tl::unexpected<Error> wrong_type(std::string_view key, const Value& value,
                                 std::string_view wanted) {
  return fail("config key {} is {}, not {}", shown(key), type_name(value), wanted);
}

bool is_empty_array(const Value& value) {
  const Array* array = std::get_if<Array>(&value.data);
  return array && array->empty();
}

// Descends where the whole name is no key: GGUF keys have dots of their own ("llama.block_count").
const Value* look_up(const Object& object, std::string_view key) {
  if (const auto it = object.find(key); it != object.end()) return &it->second;
  for (auto dot = key.find('.'); dot != key.npos; dot = key.find('.', dot + 1)) {
    const auto it = object.find(key.substr(0, dot));
    if (it == object.end()) continue;
    if (const Object* inner = std::get_if<Object>(&it->second.data))
      if (const Value* value = look_up(*inner, key.substr(dot + 1))) return value;
  }
  return nullptr;
}

void list_unread(const Object& object, const std::string& prefix,
                 const std::set<std::string, std::less<>>& read, std::vector<std::string>& keys) {
  for (const auto& [name, value] : object) {
    std::string key = prefix + name;
    if (value.is_null() || read.contains(key)) continue;
    if (const Object* inner = std::get_if<Object>(&value.data); inner && !inner->empty())
      list_unread(*inner, key + ".", read, keys);
    else
      keys.push_back(std::move(key));
  }
}

}  // namespace

const Value* Config::find(std::string_view key) const {
  const Value* value = look_up(root_, key);
  if (value) read_.emplace(key);
  return value;
}

bool Config::has(std::string_view key) const {
  const Value* value = look_up(root_, key);
  return value && !value->is_null();
}

Result<std::optional<i64>> Config::get_integer(std::string_view key) const {
  const Value* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (const i64* integer = std::get_if<i64>(&value->data)) return *integer;
  return wrong_type(key, *value, "an integer");
}

Result<std::optional<f64>> Config::get_number(std::string_view key) const {
  const Value* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (const i64* integer = std::get_if<i64>(&value->data)) return f64(*integer);
  const f64* number = std::get_if<f64>(&value->data);
  if (!number) return wrong_type(key, *value, "a number");
  if (!std::isfinite(*number)) return fail("config key {} is not a finite number", shown(key));
  return *number;
}

Result<std::optional<bool>> Config::get_bool(std::string_view key) const {
  const Value* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (const bool* flag = std::get_if<bool>(&value->data)) return *flag;
  return wrong_type(key, *value, "a bool");
}

Result<std::optional<std::string>> Config::get_string(std::string_view key) const {
  const Value* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (const std::string* text = std::get_if<std::string>(&value->data)) return *text;
  return wrong_type(key, *value, "a string");
}

Result<std::optional<Integers>> Config::get_integers(std::string_view key) const {
  const Value* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (const Integers* integers = std::get_if<Integers>(&value->data)) return *integers;
  if (is_empty_array(*value)) return Integers();
  return wrong_type(key, *value, "an array of integers");
}

Result<std::optional<Floats>> Config::get_numbers(std::string_view key) const {
  const Value* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (is_empty_array(*value)) return Floats();
  if (const Integers* integers = std::get_if<Integers>(&value->data))
    return Floats(integers->begin(), integers->end());
  const Floats* numbers = std::get_if<Floats>(&value->data);
  if (!numbers) return wrong_type(key, *value, "an array of numbers");
  for (const f64 number : *numbers)
    if (!std::isfinite(number))
      return fail("config key {} has a number that is not finite", shown(key));
  return *numbers;
}

Result<const Strings*> Config::get_strings(std::string_view key) const {
  static const Strings kNone;
  const Value* value = find(key);
  if (!value || value->is_null()) return nullptr;
  if (const Strings* strings = std::get_if<Strings>(&value->data)) return strings;
  if (is_empty_array(*value)) return &kNone;
  return wrong_type(key, *value, "an array of strings");
}

Result<u32> Config::require_u32(std::string_view key, u32 min, u32 max) const {
  TRY(const std::optional<i64> value, get_integer(key));
  if (!value) return fail("config key {} is missing", shown(key));
  if (*value < i64(min) || *value > i64(max))
    return fail("config key {} is {}, outside {} to {}", shown(key), *value, min, max);
  return u32(*value);
}

Result<f64> Config::require_number(std::string_view key) const {
  TRY(const std::optional<f64> value, get_number(key));
  if (!value) return fail("config key {} is missing", shown(key));
  return *value;
}

Result<std::string> Config::require_string(std::string_view key) const {
  TRY(std::optional<std::string> value, get_string(key));
  if (!value) return fail("config key {} is missing", shown(key));
  return std::move(*value);
}

Result<u32> Config::u32_or(std::string_view key, u32 otherwise, u32 min, u32 max) const {
  return has(key) ? require_u32(key, min, max) : otherwise;
}

Result<f64> Config::number_or(std::string_view key, f64 otherwise) const {
  TRY(const std::optional<f64> value, get_number(key));
  return value.value_or(otherwise);
}

Result<bool> Config::bool_or(std::string_view key, bool otherwise) const {
  TRY(const std::optional<bool> value, get_bool(key));
  return value.value_or(otherwise);
}

std::vector<std::string> Config::unread() const {
  std::vector<std::string> keys;
  list_unread(root_, "", read_, keys);
  return keys;
}

Result<Config> parse_config(std::string_view json) {
  TRY(Object root, parse_json_object(json));
  return Config(std::move(root));
}

}  // namespace orrery::checkpoint
