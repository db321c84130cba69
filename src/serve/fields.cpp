#include "serve/fields.h"

#include <fmt/format.h>

#include <cmath>

namespace orrery::serve {
namespace {

// So many unknown names are told; a header is not endless.
constexpr u64 kWarningsMax = 16;

u32 kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return kNull;
    case Json::value_t::boolean:
      return kBoolean;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return kInteger | kNumber;
    case Json::value_t::number_float: {
      const f64 number = value.get<f64>();  // 16.0 is an integer in JSON
      return std::abs(number) < 9e15 && std::floor(number) == number ? kInteger | kNumber
                                                                     : u32(kNumber);
    }
    case Json::value_t::string:
      return kString;
    case Json::value_t::array:
      return kArray;
    case Json::value_t::object:
      return kObject;
    default:
      return 0;
  }
}

std::string kind_names(u32 kinds) {
  std::string out;
  for (const auto& [kind, name] : {std::pair{kBoolean, "true or false"},
                                   {kInteger, "an integer"},
                                   {kNumber, "a number"},
                                   {kString, "a string"},
                                   {kArray, "an array"},
                                   {kObject, "an object"},
                                   {kNull, "null"}})
    if ((kinds & kind) != 0) out += (out.empty() ? "" : " or ") + std::string(name);
  return out;
}

bool is_among(std::string_view text, std::string_view choices) {
  for (u64 begin = 0; begin <= choices.size();) {
    const u64 end = std::min(choices.find('|', begin), choices.size());
    if (choices.substr(begin, end - begin) == text) return true;
    begin = end + 1;
  }
  return false;
}

std::string with_commas(std::string_view choices) {
  std::string out;
  for (const char c : choices) c == '|' ? void(out += ", ") : void(out += c);
  return out;
}

class Checker {
 public:
  Checked<void> object(Table table, const Json& value, const std::string& path) {
    for (const Field& field : table)
      if (field.required && (!value.contains(field.name) || value[field.name].is_null()))
        return refuse(400, fmt::format("'{}{}' is missing", path, field.name),
                      path + std::string(field.name), "missing_required_parameter");
    for (const auto& [name, one] : value.items()) {
      const auto field =
          std::find_if(table.begin(), table.end(), [&](const Field& f) { return f.name == name; });
      if (field != table.end())
        ASK_OK(check(*field, one, path + name));
      else if (warnings.size() < kWarningsMax)
        warnings.push_back(fmt::format("unknown field {}{} has no effect", path,
                                       one_line(std::string_view(name).substr(0, 60))));
    }
    return {};
  }
  std::vector<std::string> warnings;

 private:
  static tl::unexpected<ApiError> wrong(const std::string& path, const std::string& what) {
    return refuse(400, fmt::format("'{}' {}", path, what), path, "invalid_value");
  }

  Checked<void> check(const Field& field, const Json& value, const std::string& path) {
    if (value.is_null() && !field.required) return {};
    const u32 kind = kind_of(value);
    if ((kind & field.kinds) == 0)
      return wrong(path, fmt::format("must be {}", kind_names(field.kinds)));
    if (field.use == Use::kOnly &&
        !is_among(value.is_string() ? value.get<std::string>() : dump(value), field.choices))
      return refuse(400, fmt::format("'{}' can only be {} here", path, with_commas(field.choices)),
                    path, "unsupported_value");
    if ((kind & kNumber) != 0) return number(field, value, path);
    if (value.is_string()) return string(field, value.get_ref<const std::string&>(), path);
    if (value.is_array()) return array(field, value, path);
    if (value.is_object() && !field.items.empty()) return object(field.items, value, path + ".");
    return {};
  }

  static Checked<void> number(const Field& field, const Json& value, const std::string& path) {
    const f64 number = value.get<f64>();
    if (field.min == 0 && field.max == 0) return {};
    if (!(number >= field.min && number <= field.max))
      return wrong(path,
                   fmt::format("is {}, and must be from {} to {}", number, field.min, field.max));
    return {};
  }

  static Checked<void> string(const Field& field, const std::string& text,
                              const std::string& path) {
    if (field.use != Use::kOnly && !field.choices.empty() && !is_among(text, field.choices))
      return wrong(path, fmt::format("is '{}', and must be one of {}", text.substr(0, 60),
                                     with_commas(field.choices)));
    if ((field.kinds & kArray) == 0 && text.size() < field.count_min)
      return wrong(path, "must not be empty");
    return {};
  }

  Checked<void> array(const Field& field, const Json& array, const std::string& path) {
    if (array.size() < field.count_min || array.size() > field.count_max)
      return wrong(path, fmt::format("has {} items, and must have {} to {}", array.size(),
                                     field.count_min, field.count_max));
    if (field.item_kinds == 0) return {};
    for (u64 i = 0; i < array.size(); ++i) {
      const std::string at = fmt::format("{}[{}]", path, i);
      if ((kind_of(array[i]) & field.item_kinds) == 0)
        return wrong(at, fmt::format("must be {}", kind_names(field.item_kinds)));
      if (array[i].is_object() && !field.items.empty())
        ASK_OK(object(field.items, array[i], at + "."));
    }
    return {};
  }
};

}  // namespace

Checked<std::vector<std::string>> check_fields(Table table, const Json& object) {
  Checker checker;
  ASK_OK(checker.object(table, object, ""));
  return std::move(checker.warnings);
}

const Json* FieldReader::find(std::string_view name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<f64> FieldReader::number(std::string_view name) const {
  const Json* value = find(name);
  return value && value->is_number() ? std::optional(value->get<f64>()) : std::nullopt;
}

std::optional<i64> FieldReader::integer(std::string_view name) const {
  const Json* value = find(name);
  return value && value->is_number() ? std::optional(value->get<i64>()) : std::nullopt;
}

bool FieldReader::boolean(std::string_view name, bool otherwise) const {
  const Json* value = find(name);
  return value && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::string FieldReader::string(std::string_view name, std::string_view otherwise) const {
  const Json* value = find(name);
  return value && value->is_string() ? value->get<std::string>() : std::string(otherwise);
}

}  // namespace orrery::serve
