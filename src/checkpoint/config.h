// Config: a checkpoint's settings by key, which remembers which keys were read.
//
// One value type for GGUF metadata and config.json: null, bool, integer, float, string, array,
// object. Nested keys of config.json are reached with dots ("rope_parameters.rope_type"). A
// semantic field is never defaulted silently: `require_*` is an error when the key is absent or of
// the wrong type or range, and the caller says a default aloud with `get_*`. What nobody read is
// listed by unread().
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::checkpoint {

struct Value;
using Array = std::vector<Value>;
using Object = std::map<std::string, Value, std::less<>>;
// Large arrays of one kind (tokens, scores) are kept packed.
using Strings = std::vector<std::string>;
using Integers = std::vector<i64>;
using Floats = std::vector<f64>;

struct Value {
  std::variant<std::monostate, bool, i64, f64, std::string, Array, Object, Strings, Integers,
               Floats>
      data;
  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data); }
};

class Config {
 public:
  Config() = default;
  explicit Config(Object root) : root_(std::move(root)) {}

  [[nodiscard]] const Object& root() const { return root_; }
  // The value at a key (dots descend where the whole name is no key), null when absent. Marks it
  // read.
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const;  // present and not null; does not mark

  // get_*: nothing when the key is absent or null; an error when it is there with another type.
  [[nodiscard]] Result<std::optional<i64>> get_integer(std::string_view key) const;
  [[nodiscard]] Result<std::optional<f64>> get_number(std::string_view key) const;  // integers too
  [[nodiscard]] Result<std::optional<bool>> get_bool(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::string>> get_string(std::string_view key) const;
  [[nodiscard]] Result<std::optional<Integers>> get_integers(std::string_view key) const;
  [[nodiscard]] Result<std::optional<Floats>> get_numbers(std::string_view key) const;
  [[nodiscard]] Result<const Strings*> get_strings(std::string_view key) const;  // null: absent

  // require_*: an error that names the key when it is absent, null, of another type or out of
  // range.
  [[nodiscard]] Result<u32> require_u32(std::string_view key, u32 min, u32 max) const;
  [[nodiscard]] Result<f64> require_number(std::string_view key) const;
  [[nodiscard]] Result<std::string> require_string(std::string_view key) const;
  // The same with a default said aloud for an absent or null key.
  [[nodiscard]] Result<u32> u32_or(std::string_view key, u32 otherwise, u32 min, u32 max) const;
  [[nodiscard]] Result<f64> number_or(std::string_view key, f64 otherwise) const;
  [[nodiscard]] Result<bool> bool_or(std::string_view key, bool otherwise) const;

  // Keys with a value that nobody asked for, sorted.
  [[nodiscard]] std::vector<std::string> unread() const;

 private:
  Object root_;
  mutable std::set<std::string, std::less<>> read_;
};

// Parses config.json: an object, at most 64 deep. Big integers and NaN are errors.
[[nodiscard]] Result<Config> parse_config(std::string_view json);

}  // namespace orrery::checkpoint
