#include "serve/explorer/feed.h"

#include <algorithm>

namespace orrery::serve {
namespace {

u64 bytes_of(const Frame& frame) { return frame.payload.size() + kFrameHeaderBytes; }

}  // namespace

void Feed::push(Frame frame) {
  keep(std::move(frame));
  bell_->ring();
}

void Feed::keep(Frame frame) {
  const std::lock_guard lock(mutex_);
  const u64 bytes = bytes_of(frame);
  bytes_ += bytes;
  pushed_bytes_ += bytes;
  frames_.push_back(std::move(frame));
  ends_.push_back(pushed_bytes_);
  ++next_;
  while (bytes_ > kRingBytes && frames_.size() > 1) {
    bytes_ -= bytes_of(frames_.front());
    frames_.pop_front();
    ends_.pop_front();
  }
}

Feed::Piece Feed::read(u64 cursor, u64 bytes_max) const {
  const std::lock_guard lock(mutex_);
  Piece piece;
  cursor = std::min(cursor, next_ - 1);
  if (cursor + 1 < first()) {
    piece.lost_from = cursor + 1;
    piece.lost_to = first() - 1;
    cursor = piece.lost_to;
  }
  u64 bytes = 0;
  while (cursor + 1 < next_ && bytes < bytes_max) {
    const Frame& frame = frames_[cursor + 1 - first()];
    piece.frames.emplace_back(++cursor, frame);
    bytes += bytes_of(frame);
  }
  piece.cursor = cursor;
  return piece;
}

u64 Feed::newest() const {
  const std::lock_guard lock(mutex_);
  return next_ - 1;
}

f64 Feed::lag(u64 cursor) const {
  const std::lock_guard lock(mutex_);
  if (cursor + 1 >= next_) return 0;
  if (cursor + 1 < first()) return 1;
  const u64 at = cursor + 1 - first();
  const u64 before = ends_[at] - bytes_of(frames_[at]);
  return f64(pushed_bytes_ - before) / f64(kRingBytes);
}

u64 Feed::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace orrery::serve
