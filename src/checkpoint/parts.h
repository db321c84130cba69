// Parts: the tensors of a checkpoint while those that a quantiser spread out are put together.
//
// A method of quantisation (scaled.cpp, bitsandbytes.cpp, ...) finds its matrices by the endings of
// names, asks for each part with the shape that it must have, and replaces them by one view with an
// Encoding. What it did not take stays as it was.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace orrery::checkpoint {

class Parts {
 public:
  explicit Parts(const std::vector<TensorView>& tensors);

  [[nodiscard]] const std::vector<TensorView>& tensors() const { return tensors_; }

  // The names before `ending` of all tensors that end so and are not taken yet.
  [[nodiscard]] std::vector<std::string> stems(std::string_view ending) const;

  // Null: there is none.
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  // An error that names the tensor: it is missing, of another format, or of another shape.
  [[nodiscard]] Result<const TensorView*> require(std::string_view name, Format format) const;
  [[nodiscard]] Result<const TensorView*> require(std::string_view name, Format format,
                                                  std::initializer_list<u64> shape) const;

  // `joined` stands for `taken` (null ones are passed over) from now on.
  void replace(std::initializer_list<const TensorView*> taken, TensorView joined);
  // A tensor that changes no weight.
  void drop(const TensorView& tensor) { taken_[index_of(tensor)] = true; }

  // An error when a tensor with one of these endings was not taken: its other parts are missing.
  [[nodiscard]] Result<void> check_none_left(std::initializer_list<std::string_view> endings) const;

  // What is left, and what was joined.
  [[nodiscard]] std::vector<TensorView> result() const;

 private:
  [[nodiscard]] u64 index_of(const TensorView& tensor) const {
    return u64(&tensor - tensors_.data());
  }

  const std::vector<TensorView>& tensors_;
  std::map<std::string_view, const TensorView*, std::less<>> by_name_;
  std::vector<bool> taken_;
  std::vector<TensorView> joined_;
};

// The base of encodings that are made of parts.
class JoinedEncoding : public Encoding {
 public:
  JoinedEncoding(std::initializer_list<const TensorView*> parts);
  [[nodiscard]] const std::vector<Part>& parts() const final { return parts_; }

 private:
  std::vector<Part> parts_;
};

// [1, 2], for people.
[[nodiscard]] std::string shape_text(const std::vector<u64>& shape);

// All sizes but the last multiplied; 1 for a vector. The reader of the file saw that it fits.
[[nodiscard]] u64 rows_of(const std::vector<u64>& shape);

// The suffix "X.weight" has in place of the part "X": what a linear layer's matrix is called.
inline constexpr std::string_view kWeight = ".weight";

}  // namespace orrery::checkpoint
