// MappedFile: a file's bytes, read-only and shared, mapped and not copied.
//
// The bytes stay where they are as long as the object lives. A file that is cut off while it is
// mapped would raise SIGBUS on access: the reader checks every extent against size() first, and
// files are expected not to shrink under a running program.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/types.h"

namespace orrery {

class MappedFile {
 public:
  [[nodiscard]] static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  [[nodiscard]] Bytes bytes() const { return {data_, size_}; }

  // Tells the kernel that these bytes (a part of bytes()) are not needed again soon, so that
  // loading a large file does not push everything else out of memory.
  void drop(Bytes part) const;

 private:
  const u8* data_ = nullptr;
  std::size_t size_ = 0;
};

// The whole of a small text file (configs, tokenizers); an error above `bytes_max`.
[[nodiscard]] Result<std::string> read_text_file(const std::filesystem::path& path,
                                                 u64 bytes_max = u64(64) << 20);

}  // namespace orrery
