// GGUF: the reader of llama.cpp's file format, versions 2 and 3, little-endian, one file or split.
//
// docs/formats/gguf.md has the byte layout and the limits. The reader checks and names things; what
// a key or a tensor means is for the rooms above.
#pragma once

#include "checkpoint/contents.h"

namespace orrery::checkpoint {

// One file, parsed where it lies in memory; the views point into `file`.
struct GgufPart {
  u32 version = 0;
  Object metadata;
  std::vector<TensorView> tensors;  // in the order of the file
};
[[nodiscard]] Result<GgufPart> parse_gguf(Bytes file);

// The place of a file in a split checkpoint, from its name "model-00001-of-00003.gguf".
struct SplitName {
  std::string prefix;  // "model"
  u32 number = 0;      // from 1
  u32 count = 0;
};
[[nodiscard]] std::optional<SplitName> parse_split_name(std::string_view file_name);

// The checkpoint of which `path` is the file or one part. All parts are opened; the metadata is the
// first part's.
[[nodiscard]] Result<Contents> read_gguf(const std::filesystem::path& path);

}  // namespace orrery::checkpoint
