// ByteReader: walks over little-endian bytes from a file and never past their end.
//
// Every read says nothing when too few bytes are left; the caller knows what was being read and
// makes the error. All machines we build for are little-endian, so a value is a plain copy.
#pragma once

#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/types.h"

namespace orrery::checkpoint {

static_assert(std::endian::native == std::endian::little);

class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

  [[nodiscard]] u64 position() const { return position_; }
  [[nodiscard]] u64 remaining() const { return bytes_.size() - position_; }

  [[nodiscard]] std::optional<Bytes> take(u64 count) {
    if (count > remaining()) return std::nullopt;
    const Bytes part = bytes_.subspan(position_, count);
    position_ += count;
    return part;
  }

  template <typename T>
  [[nodiscard]] std::optional<T> read() {
    const std::optional<Bytes> part = take(sizeof(T));
    if (!part) return std::nullopt;
    T value;
    std::memcpy(&value, part->data(), sizeof(T));
    return value;
  }

  // A GGUF string: its length in 8 bytes, then its bytes, which are not copied.
  [[nodiscard]] std::optional<std::string_view> read_string() {
    const std::optional<u64> length = read<u64>();
    if (!length) return std::nullopt;
    const std::optional<Bytes> part = take(*length);
    if (!part) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(part->data()), part->size());
  }

 private:
  Bytes bytes_;
  u64 position_ = 0;
};

}  // namespace orrery::checkpoint
