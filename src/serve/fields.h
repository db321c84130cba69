// fields: what may stand in a request, as tables: name, kinds, range, and what is done with it.
//
// One table drives the check of every request and the published OpenAPI file. A field that is in no
// table is not an error, but it is never passed over in silence: its name goes into a warning. A
// field that asks for something that is not done here is an error.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serve/errors.h"

namespace orrery::serve {

enum Kind : u32 {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kNumber = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
};

enum class Use : u8 {
  kUsed,
  kNoEffect,  // it changes nothing here and is not meant to change the reply
  kOnly,      // of `choices` only; whatever else it asks for is not done here
};

struct Field {
  std::string_view name;
  u32 kinds = 0;
  f64 min = 0, max = 0;           // of a number
  std::string_view choices = {};  // of a string (or, kOnly, of any value's JSON), apart by |
  std::string_view says = {};     // a sentence for people
  Use use = Use::kUsed;
  bool required = false;
  u32 item_kinds = 0;                        // of an array's items
  u64 count_min = 0, count_max = 1'000'000;  // of an array's items, bytes of a string
  std::span<const Field> items = {};         // of the object, or of the objects in the array
};

using Table = std::span<const Field>;

// The first thing that is wrong, or the warnings that belong into the answer.
[[nodiscard]] Checked<std::vector<std::string>> check_fields(Table table, const Json& object);

// The fields of an object that has passed the check; null counts as absent.
class FieldReader {
 public:
  explicit FieldReader(const Json& object) : object_(object) {}
  [[nodiscard]] const Json* find(std::string_view name) const;
  [[nodiscard]] std::optional<f64> number(std::string_view name) const;
  [[nodiscard]] std::optional<i64> integer(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name, bool otherwise = false) const;
  [[nodiscard]] std::string string(std::string_view name, std::string_view otherwise = "") const;

 private:
  const Json& object_;
};

}  // namespace orrery::serve
