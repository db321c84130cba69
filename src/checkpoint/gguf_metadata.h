// GGUF metadata: the list of keys and typed values that stands at the front of a GGUF file.
#pragma once

#include "base/error.h"
#include "checkpoint/byte_reader.h"
#include "checkpoint/config.h"

namespace orrery::checkpoint {

// The types of values, by their numbers in the file.
enum class GgufType : u32 {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
inline constexpr u32 kGgufTypeCount = 13;

// Reads `count` keys and their values. Integers of all widths become i64 (an error above its
// range), floats f64, arrays Strings, Integers or Floats; arrays of bools or of arrays stay an
// Array.
[[nodiscard]] Result<Object> read_gguf_metadata(ByteReader& in, u64 count);

}  // namespace orrery::checkpoint
