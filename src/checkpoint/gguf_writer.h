// GgufWriter: writes a GGUF file, version 3, without holding the tensors in memory.
//
// All names, formats and shapes are given first, because the list of tensors stands before the
// data; then the data is written in the same order, in pieces of any size. The file appears under
// its name only when it is complete.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/format.h"

namespace orrery::checkpoint {

struct GgufValue;
struct GgufArray {
  u32 type;  // of its elements, as a GgufType; every element must be of it
  std::vector<GgufValue> elements;
};
// The alternatives stand in the order of GgufType, so that index() is the type's number.
struct GgufValue {
  std::variant<u8, i8, u16, i16, u32, i32, f32, bool, std::string, GgufArray, u64, i64, f64> data;
};
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

struct GgufTensor {
  std::string name;
  Format format;
  std::vector<u64> shape;  // [rows, cols]: the order of the mathematics
};

class GgufWriter {
 public:
  // `alignment` is of the tensors' offsets; when it is not 32, general.alignment must say so.
  [[nodiscard]] static Result<std::unique_ptr<GgufWriter>> create(
      const std::filesystem::path& path, const GgufMetadata& metadata,
      const std::vector<GgufTensor>& tensors, u32 alignment = 32);
  ~GgufWriter();  // removes the unfinished file
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  // The next bytes of the tensors' data. A piece must not reach over the end of a tensor.
  [[nodiscard]] Result<void> write(Bytes piece);
  // Call it when all data is written: gives the file its name.
  [[nodiscard]] Result<void> finish();

 private:
  GgufWriter(std::filesystem::path path, u32 alignment);
  [[nodiscard]] Result<void> begin(const GgufMetadata& metadata,
                                   const std::vector<GgufTensor>& tensors);
  void pad(u64 position);

  std::filesystem::path path_, unfinished_;
  std::ofstream stream_;
  u32 alignment_;
  std::vector<u64> tensor_bytes_;
  u64 tensor_ = 0;   // the one that is being written
  u64 written_ = 0;  // bytes of it
};

}  // namespace orrery::checkpoint
