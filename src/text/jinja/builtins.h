// The filters, tests, global functions and methods that a template can name.
//
// Each is a plain function over values; the tables lie in filters.cpp, tests.cpp, globals.cpp and
// methods.cpp. They take what jinja2's take, in the same order and under the same names.
#pragma once

#include <string_view>

#include "text/jinja/callable.h"

namespace orrery::text::jinja {

using Filter = Value (*)(Interpreter&, const Value& input, const Arguments&);
using Test = bool (*)(Interpreter&, const Value& input, const Arguments&);

// nullptr for an unknown name.
[[nodiscard]] Filter find_filter(std::string_view name);
[[nodiscard]] Test find_test(std::string_view name);
// Nothing for an unknown name.
[[nodiscard]] std::optional<Value> find_global(Heap& heap, std::string_view name);

struct Named {
  std::string_view name;
  Filter function;
};
// Rows of the filter table, by what they are about.
[[nodiscard]] std::span<const Named> text_filters();
[[nodiscard]] std::span<const Named> html_filters();
[[nodiscard]] std::span<const Named> sequence_filters();
[[nodiscard]] std::span<const Named> value_filters();

// Methods: like filters, `input` is the object.
[[nodiscard]] Filter find_string_method(std::string_view name);
[[nodiscard]] Filter find_other_method(const Value& object, std::string_view name);

// object.name and object[index] as jinja2's sandbox looks them up; undefined when there is nothing.
[[nodiscard]] Value get_attribute(Heap& heap, const Value& object, std::string_view name);
[[nodiscard]] Value get_item(Heap& heap, const Value& object, const Value& index);
[[nodiscard]] Value get_slice(Heap& heap, const Value& object, const Value& start,
                              const Value& stop, const Value& step);
// object|attr("name"): only what getattr finds, no item.
[[nodiscard]] Value get_attribute_only(Heap& heap, const Value& object, std::string_view name);
// "a.0.b" as filters take it (attribute=...): through get_item, digits are indexes.
[[nodiscard]] Value get_path(Heap& heap, const Value& object, const Value& path,
                             const Value* otherwise = nullptr);

}  // namespace orrery::text::jinja
