// Fuzzes the GGUF reader on one file in memory. What it accepts must keep the promises of
// Checkpoint: views inside the file, of exactly their shape's bytes, and of distinct places.
#include "checkpoint/gguf.h"

#include <algorithm>
#include <cstdlib>

using namespace orrery;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const checkpoint::TensorView& tensor, Bytes file) {
  require(!tensor.shape.empty() && !tensor.bytes.empty());
  require(tensor.bytes.data() >= file.data());
  require(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
  u64 bytes = row_bytes(tensor.format, tensor.shape.back()).value();
  for (u64 i = 0; i + 1 < tensor.shape.size(); ++i) bytes *= tensor.shape[i];
  require(bytes == tensor.bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const Bytes file(data, size);
  auto part = checkpoint::parse_gguf(file);
  if (!part) {
    require(part.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& tensor : part->tensors) check(tensor, file);
  std::sort(part->tensors.begin(), part->tensors.end(),
            [](const auto& a, const auto& b) { return a.bytes.data() < b.bytes.data(); });
  for (u64 i = 1; i < part->tensors.size(); ++i) {
    const Bytes before = part->tensors[i - 1].bytes;
    require(before.data() + before.size() <= part->tensors[i].bytes.data());
  }
  (void)checkpoint::order_by_name(part->tensors);
  (void)checkpoint::Config(std::move(part->metadata)).unread();
  return 0;
}
