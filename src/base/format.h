// Format: how the numbers of a tensor are stored in a file, by the names that the field uses.
//
// One row a format: its name, how many values make a block and how many bytes a block takes.
// Decoding and packing live in `kernels`; readers need only this table to know how many bytes a
// shape takes.
#pragma once

#include <string_view>

#include "base/types.h"

namespace orrery {

enum class Format : u8 {
#define ORRERY_FORMAT(id, name, gguf_type, elements, bytes) id,
#include "base/format.def"
#undef ORRERY_FORMAT
};

struct FormatInfo {
  Format format;
  std::string_view name;
  i32 gguf_type;       // the number in GGUF files; -1: not a GGUF type
  u32 block_elements;  // values a block
  u32 block_bytes;     // bytes a block
};

[[nodiscard]] const FormatInfo& info(Format format);
[[nodiscard]] inline std::string_view name(Format format) { return info(format).name; }

// The format with this number in GGUF files, or nothing for one that we cannot name.
[[nodiscard]] std::optional<Format> format_from_gguf(u32 type);

// Bytes of `elements` values in one row; nothing when they are no whole number of blocks or
// overflow.
[[nodiscard]] std::optional<u64> row_bytes(Format format, u64 elements);

}  // namespace orrery
