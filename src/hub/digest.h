// Digest: the running checksum of a blob. A blob's name is its checksum: SHA-256 of the bytes for
// large files (git LFS), SHA-1 of git's blob object ("blob SIZE\0" and the bytes) for small ones.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/types.h"

namespace orrery::hub {

class Digest {
 public:
  // The kind follows from the length of `key` (is_blob_key).
  Digest(std::string_view key, u64 size);
  void add(Bytes bytes);
  [[nodiscard]] std::string hex();  // once, at the end

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

// Feeds the file's bytes from the beginning to `digest`, at most `size`; returns how many there
// were. `on_bytes` hears of each piece and may stop it by returning an error.
[[nodiscard]] Result<u64> add_file(Digest& digest, const std::filesystem::path& path, u64 size,
                                   const std::function<Result<void>(u64)>& on_bytes);

}  // namespace orrery::hub
