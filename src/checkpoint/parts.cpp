#include "checkpoint/parts.h"

#include <algorithm>

#include "checkpoint/names.h"

namespace orrery::checkpoint {

Parts::Parts(const std::vector<TensorView>& tensors) : tensors_(tensors), taken_(tensors.size()) {
  for (const TensorView& tensor : tensors) by_name_.emplace(tensor.name, &tensor);
}

std::vector<std::string> Parts::stems(std::string_view ending) const {
  std::vector<std::string> stems;
  for (u64 i = 0; i < tensors_.size(); ++i) {
    const std::string_view name = tensors_[i].name;
    if (!taken_[i] && name.size() > ending.size() && name.ends_with(ending))
      stems.emplace_back(name.substr(0, name.size() - ending.size()));
  }
  return stems;
}

const TensorView* Parts::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Result<const TensorView*> Parts::require(std::string_view name, Format format) const {
  const TensorView* tensor = find(name);
  if (!tensor)
    return fail("tensor {} is missing, but other parts of its matrix are there", shown(name));
  if (tensor->format != format)
    return fail("tensor {} is {}, not {}", shown(name), orrery::name(tensor->format),
                orrery::name(format));
  return tensor;
}

Result<const TensorView*> Parts::require(std::string_view name, Format format,
                                         std::initializer_list<u64> shape) const {
  TRY(const TensorView* tensor, require(name, format));
  if (!std::ranges::equal(tensor->shape, shape))
    return fail("tensor {} has the shape {}, but the other parts of its matrix ask for [{}]",
                shown(name), shape_text(tensor->shape), fmt::join(shape, ", "));
  return tensor;
}

void Parts::replace(std::initializer_list<const TensorView*> taken, TensorView joined) {
  for (const TensorView* tensor : taken)
    if (tensor) drop(*tensor);
  joined_.push_back(std::move(joined));
}

Result<void> Parts::check_none_left(std::initializer_list<std::string_view> endings) const {
  for (const std::string_view ending : endings)
    for (const std::string& stem : stems(ending))
      return fail("tensor {} is a part of a quantised matrix whose other parts are missing",
                  shown(stem + std::string(ending)));
  return {};
}

std::vector<TensorView> Parts::result() const {
  std::vector<TensorView> result;
  for (u64 i = 0; i < tensors_.size(); ++i)
    if (!taken_[i]) result.push_back(tensors_[i]);
  result.insert(result.end(), joined_.begin(), joined_.end());
  return result;
}

JoinedEncoding::JoinedEncoding(std::initializer_list<const TensorView*> parts) {
  for (const TensorView* part : parts)
    if (part) parts_.push_back({part->bytes, part->file});
}

std::string shape_text(const std::vector<u64>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

u64 rows_of(const std::vector<u64>& shape) {
  u64 rows = 1;
  for (u64 i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

}  // namespace orrery::checkpoint
