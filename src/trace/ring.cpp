// Ring: release on the counter that a side owns, acquire on the other's; the bytes between them
// need no further order.
#include "trace/ring.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace orrery::trace {

static_assert(std::is_trivially_copyable_v<EventHeader>);

Ring::Ring(u64 capacity_bytes, u32 event_values_max)
    : event_values_max_(event_values_max),
      capacity_(
          std::max(capacity_bytes, sizeof(EventHeader) + sizeof(f32) * u64(event_values_max))),
      bytes_(std::make_unique<u8[]>(capacity_)) {}

bool Ring::write(EventHeader header, const f32* values, u32 total) {
  header.total = total;
  header.count = std::min(total, event_values_max_);
  const u64 values_bytes = sizeof(f32) * u64(header.count);
  const u64 head = head_.load(std::memory_order_relaxed);
  const u64 next = head + sizeof(header) + values_bytes;
  if (next - tail_seen_ > capacity_) tail_seen_ = tail_.load(std::memory_order_acquire);
  if (next - tail_seen_ > capacity_) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  copy_in(head, &header, sizeof(header));
  copy_in(head + sizeof(header), values, values_bytes);
  head_.store(next, std::memory_order_release);
  return true;
}

bool Ring::read(Event& event) {
  const std::scoped_lock lock(reading_);
  const u64 tail = tail_.load(std::memory_order_relaxed);
  if (tail == head_.load(std::memory_order_acquire)) return false;
  copy_out(tail, &event.header, sizeof(event.header));
  event.values.resize(event.header.count);
  const u64 values_bytes = sizeof(f32) * u64(event.header.count);
  copy_out(tail + sizeof(event.header), event.values.data(), values_bytes);
  tail_.store(tail + sizeof(event.header) + values_bytes, std::memory_order_release);
  return true;
}

void Ring::copy_in(u64 at, const void* from, u64 bytes) {
  if (bytes == 0) return;
  const u64 begin = at % capacity_, first = std::min(bytes, capacity_ - begin);
  std::memcpy(bytes_.get() + begin, from, first);
  std::memcpy(bytes_.get(), static_cast<const u8*>(from) + first, bytes - first);
}

void Ring::copy_out(u64 at, void* to, u64 bytes) const {
  if (bytes == 0) return;
  const u64 begin = at % capacity_, first = std::min(bytes, capacity_ - begin);
  std::memcpy(to, bytes_.get() + begin, first);
  std::memcpy(static_cast<u8*>(to) + first, bytes_.get(), bytes - first);
}

}  // namespace orrery::trace
