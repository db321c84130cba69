// Reads NumPy's .npy files (format 1.0, C order, little endian) of one type, checked.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/types.h"

namespace orrery::testing {

template <typename T>
struct Npy {
  std::vector<u64> shape;
  std::vector<T> values;
};

template <typename T>
[[nodiscard]] constexpr const char* npy_type() {
  if constexpr (std::is_same_v<T, f32>) return "'<f4'";
  if constexpr (std::is_same_v<T, i64>) return "'<i8'";
}

template <typename T>
[[nodiscard]] Npy<T> read_npy(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  if (bytes.size() < 10 || bytes.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) != 0)
    throw std::runtime_error(path.string() + " is no .npy file of version 1.0");
  const u64 header = u8(bytes[8]) + 256 * u8(bytes[9]);
  const std::string text = bytes.substr(10, header);
  if (text.find(npy_type<T>()) == std::string::npos || text.find("'fortran_order': False") == std::string::npos)
    throw std::runtime_error(path.string() + " holds another type or order: " + text);
  Npy<T> out;
  u64 count = 1;
  for (std::size_t at = text.find('(') + 1; text[at] != ')';) {
    if (std::isdigit(u8(text[at]))) {
      std::size_t used = 0;
      out.shape.push_back(std::stoull(text.substr(at), &used));
      count *= out.shape.back();
      at += used;
    } else {
      ++at;
    }
  }
  if (bytes.size() != 10 + header + count * sizeof(T))
    throw std::runtime_error(path.string() + " is not as long as its header says");
  out.values.resize(count);
  std::memcpy(out.values.data(), bytes.data() + 10 + header, count * sizeof(T));
  return out;
}

}  // namespace orrery::testing
