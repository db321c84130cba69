// Reads NumPy's .npy files (format 1.0, C order, little endian) of one type, checked: whatever the
// golden recipes do not write is an error, so that no golden can be read as something that it is
// not.
#pragma once

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/types.h"

namespace orrery::testing {

template <typename T>
struct Npy {
  std::vector<u64> shape;
  std::vector<T> values;
};

// "(2, 3)": the sizes between the brackets.
[[nodiscard]] inline std::vector<u64> parse_npy_shape(std::string_view text) {
  std::vector<u64> shape;
  const std::size_t close = text.find(')');
  if (close == std::string_view::npos) throw std::runtime_error("a shape without an end");
  for (std::size_t i = 0; i < close;) {
    if (std::string_view("(, ").find(text[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    u64 size = 0;
    const auto [rest, error] = std::from_chars(text.data() + i, text.data() + close, size);
    if (error != std::errc()) throw std::runtime_error("a shape that is no list of sizes");
    shape.push_back(size);
    i = std::size_t(rest - text.data());
  }
  return shape;
}

template <typename T>
[[nodiscard]] Npy<T> parse_npy(std::string_view bytes) {
  static_assert(std::is_same_v<T, f32> || std::is_same_v<T, i64>);
  constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
  if (bytes.size() < 10 || !bytes.starts_with(kMagic))
    throw std::runtime_error("no .npy of version 1.0");
  const std::size_t header = u8(bytes[8]) + 256 * std::size_t(u8(bytes[9]));
  if (header > bytes.size() - 10) throw std::runtime_error("a header longer than the file");
  const std::string_view text = bytes.substr(10, header);
  bytes.remove_prefix(10 + header);
  const std::string_view type = std::is_same_v<T, f32> ? "'descr': '<f4'" : "'descr': '<i8'";
  const std::size_t shape = text.find("'shape': (");
  if (text.find(type) == std::string_view::npos || shape == std::string_view::npos ||
      text.find("'fortran_order': False") == std::string_view::npos) {
    throw std::runtime_error("another type or order: " + std::string(text));
  }
  Npy<T> out{parse_npy_shape(text.substr(shape + 9)), {}};
  u64 count = 1;
  for (const u64 size : out.shape) {
    if (__builtin_mul_overflow(count, size, &count))
      throw std::runtime_error("a shape that overflows");
  }
  if (bytes.size() % sizeof(T) != 0 || bytes.size() / sizeof(T) != count) {
    throw std::runtime_error("not as long as the header says");
  }
  out.values.resize(count);
  if (count != 0) std::memcpy(out.values.data(), bytes.data(), bytes.size());
  return out;
}

template <typename T>
[[nodiscard]] Npy<T> read_npy(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  try {
    return parse_npy<T>(bytes);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(path.string() + ": " + error.what());
  }
}

}  // namespace orrery::testing
