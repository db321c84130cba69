// NpyWriter: a float32 matrix as a NumPy file, written row by row so that no more than a row is
// held.
//
// Format 1.0 of numpy.lib.format: magic, header length, a Python dictionary padded so that the data
// begins at a multiple of 64, then the values, little endian.
#pragma once

#include <filesystem>
#include <fstream>
#include <span>

#include "base/error.h"
#include "base/types.h"

namespace orrery::apps {

class NpyWriter {
 public:
  [[nodiscard]] static Result<NpyWriter> create(const std::filesystem::path& path, u64 rows,
                                                u64 columns);
  [[nodiscard]] Result<void> write(std::span<const f32> row);
  // After the last row: an error when the file could not be written or rows are missing.
  [[nodiscard]] Result<void> finish();

 private:
  std::filesystem::path path_;
  std::ofstream stream_;
  u64 rows_left_ = 0, columns_ = 0;
};

}  // namespace orrery::apps
