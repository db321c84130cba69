// For the tests of this room: a folder that vanishes, and files put together byte by byte, so that
// a test can write what no honest writer would.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/types.h"
#include "checkpoint/gguf_metadata.h"
#include "support/temporary_folder.h"

namespace orrery::checkpoint::testing {

using orrery::testing::TemporaryFolder;

inline std::string read_bytes(const std::filesystem::path& path) {
  return orrery::testing::read_file(path);
}

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

// Little-endian bytes, one value after the other: raw << u32(3) << "text without length".
struct Raw {
  std::string bytes;

  template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  Raw& operator<<(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  Raw& operator<<(std::string_view text) {
    bytes += text;
    return *this;
  }
  Raw& string(std::string_view text) { return *this << u64(text.size()) << text; }

  Raw& gguf(u32 version, u64 tensors, u64 keys) {
    return *this << "GGUF" << version << tensors << keys;
  }
  Raw& key(std::string_view name, GgufType type) { return string(name) << type; }
  // Sizes in the order of the file: the row length first.
  Raw& tensor(std::string_view name, std::initializer_list<u64> sizes, u32 type, u64 offset) {
    string(name) << u32(sizes.size());
    for (const u64 size : sizes) *this << size;
    return *this << type << offset;
  }
  Raw& pad(u64 alignment = 32) {
    bytes.resize(round_up<u64>(bytes.size(), alignment));
    return *this;
  }
  Raw& data(u64 count) {
    bytes.append(count, '\1');
    return *this;
  }
};

inline std::string safetensors(std::string_view header, u64 data_bytes) {
  Raw raw;
  return raw.string(header).data(data_bytes).bytes;
}

}  // namespace orrery::checkpoint::testing
