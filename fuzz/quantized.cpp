// Fuzzes the joining of quantised matrices: config.json, a zero byte, then a safetensors file. What
// is accepted must be readable, in both of its formats, into rows of exactly their bytes.
#include "checkpoint/quantized.h"

#include <algorithm>
#include <cstdlib>

#include "checkpoint/contents.h"
#include "checkpoint/safetensors.h"

using namespace orrery;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void read(const checkpoint::TensorView& view) {
  const u64 rows = checkpoint::rows_of(view.shape), cols = view.shape.back();
  require(rows > 0 && cols > 0 && view.bytes.empty());
  for (const Format format : {Format::kF32, view.encoding->row_format()}) {
    std::vector<u8> row(row_bytes(format, cols).value());
    for (const u64 i : {u64(0), rows / 2, rows - 1}) {
      const auto done = view.encoding->read_row(i, format, row.data());
      require(done || done.error().message.find('\n') == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const u8* end = std::find(data, data + size, u8(0));
  if (end == data + size) return -1;
  const auto config =
      checkpoint::parse_config({reinterpret_cast<const char*>(data), std::size_t(end - data)});
  const auto tensors = checkpoint::parse_safetensors({end + 1, std::size_t(data + size - end - 1)});
  if (!config || !tensors || !checkpoint::order_by_name(*tensors)) return 0;
  const auto joined = checkpoint::join_quantized(*config, *tensors);
  if (!joined) {
    require(joined.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& view : *joined)
    if (view.encoding) read(view);
  return 0;
}
