#include "base/huge_buffer.h"

#include <sys/mman.h>

#include <utility>

namespace orrery {

Result<HugeBuffer> HugeBuffer::allocate(u64 bytes) {
  constexpr u64 kHugePage = u64(2) << 20;
  HugeBuffer buffer;
  if (bytes == 0) return buffer;
  const auto mapped = checked_add(bytes, kHugePage);
  if (!mapped) return fail("cannot allocate {} bytes", bytes);
  void* mapping = ::mmap(nullptr, *mapped, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return fail("cannot allocate {} MiB of memory", bytes >> 20);
  buffer.mapping_ = mapping;
  buffer.mapping_bytes_ = *mapped;
  buffer.data_ =
      reinterpret_cast<u8*>(round_up(std::uintptr_t(mapping), std::uintptr_t(kHugePage)));
  buffer.size_ = bytes;
  // Below one huge page the rest of it would be wasted memory.
  if (bytes >= kHugePage) ::madvise(buffer.data_, bytes, MADV_HUGEPAGE);
  return buffer;
}

HugeBuffer::HugeBuffer(HugeBuffer&& other) noexcept { *this = std::move(other); }

HugeBuffer& HugeBuffer::operator=(HugeBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_bytes_, other.mapping_bytes_);
  return *this;
}

HugeBuffer::~HugeBuffer() {
  if (mapping_) ::munmap(mapping_, mapping_bytes_);
}

}  // namespace orrery
