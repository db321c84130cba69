// Contents: what a reader of one format hands to Checkpoint::open once everything in it is checked.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"

namespace orrery::checkpoint {

struct Contents {
  Kind kind;
  std::filesystem::path path;
  Config config;
  std::vector<MappedFile> files;
  std::vector<TensorView> tensors;  // views into files[tensor.file]
};

// Maps a file of weights; an error for an empty file and for a Git LFS pointer, the small text that
// a clone without LFS leaves in place of the real file.
[[nodiscard]] Result<MappedFile> map_weights(const std::filesystem::path& path);
[[nodiscard]] bool is_lfs_pointer(std::string_view text);

// The places of the tensors in order of their names; an error when a name stands twice.
[[nodiscard]] Result<std::vector<u32>> order_by_name(const std::vector<TensorView>& tensors);

}  // namespace orrery::checkpoint
