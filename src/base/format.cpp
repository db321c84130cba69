#include "base/format.h"

namespace orrery {
namespace {

constexpr FormatInfo kFormats[] = {
#define ORRERY_FORMAT(id, name, gguf_type, elements, bytes) \
  {Format::id, name, gguf_type, elements, bytes},
#include "base/format.def"
#undef ORRERY_FORMAT
};

}  // namespace

const FormatInfo& info(Format format) { return kFormats[u8(format)]; }

std::optional<Format> format_from_gguf(u32 type) {
  for (const FormatInfo& row : kFormats)
    if (row.gguf_type >= 0 && u32(row.gguf_type) == type) return row.format;
  return std::nullopt;
}

std::optional<u64> row_bytes(Format format, u64 elements) {
  const FormatInfo& row = info(format);
  if (elements % row.block_elements != 0) return std::nullopt;
  return checked_mul(elements / row.block_elements, row.block_bytes);
}

}  // namespace orrery
