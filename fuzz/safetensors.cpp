// Fuzzes the safetensors reader on one file in memory. What it accepts must cover the data exactly:
// each view begins where the one before it ends.
#include "checkpoint/safetensors.h"

#include <algorithm>
#include <cstdlib>

#include "checkpoint/contents.h"

using namespace orrery;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const auto tensors = checkpoint::parse_safetensors({data, size});
  if (!tensors) {
    require(tensors.error().message.find('\n') == std::string::npos);
    return 0;  // kept in the corpus: most of what can go wrong is in the header
  }
  u64 header_bytes = 0;
  std::copy_n(data, sizeof(header_bytes), reinterpret_cast<u8*>(&header_bytes));
  const u8* covered = data + sizeof(header_bytes) + header_bytes;
  for (const auto& tensor : *tensors) {
    require(tensor.bytes.data() == covered);
    covered += tensor.bytes.size();
    u64 bytes = info(tensor.format).block_bytes;
    for (const u64 length : tensor.shape) bytes *= length;
    require(bytes == tensor.bytes.size());
  }
  require(covered == data + size);
  (void)checkpoint::order_by_name(*tensors);
  return 0;
}
