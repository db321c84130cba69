// For the tests of this room: a folder that vanishes, and files put together byte by byte, so that
// a test can write what no honest writer would.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/types.h"
#include "checkpoint/gguf_metadata.h"

namespace orrery::checkpoint::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string form = (std::filesystem::temp_directory_path() / "orrery-XXXXXX").string();
    path_ = ::mkdtemp(form.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
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
