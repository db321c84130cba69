// Feed: the frames of one session, kept in a ring until a stream has sent them or they are
// overwritten.
//
// The engine's thread pushes and never waits; streams read at the rate of their clients. A stream
// that is left behind learns which numbers it has lost. Each push rings the bell, after the frame
// can be read.
#pragma once

#include <deque>
#include <mutex>

#include "serve/explorer/bell.h"
#include "serve/explorer/frame.h"

namespace orrery::serve {

inline constexpr u64 kRingBytes = u64(8) << 20;  // of a session: minutes of the default channels

class Feed {
 public:
  // The bell must outlive it.
  explicit Feed(Bell& bell) : bell_(&bell) {}
  void push(Frame frame);

  struct Piece {
    u64 lost_from = 0, lost_to = 0;  // numbers that were overwritten before; 0: none
    std::vector<std::pair<u64, Frame>> frames;
    u64 cursor = 0;  // of the last frame taken
  };
  // Frames after `cursor`, up to about so many bytes.
  [[nodiscard]] Piece read(u64 cursor, u64 bytes_max) const;
  [[nodiscard]] u64 newest() const;
  // Bytes of the frames after `cursor`, in parts of the ring: 1 when some are lost already.
  [[nodiscard]] f64 lag(u64 cursor) const;
  [[nodiscard]] u64 size_bytes() const;

 private:
  void keep(Frame frame);
  [[nodiscard]] u64 first() const { return next_ - frames_.size(); }
  Bell* bell_;
  mutable std::mutex mutex_;
  std::deque<Frame> frames_;
  std::deque<u64> ends_;  // beside frames_: bytes ever pushed, up to and with each
  u64 bytes_ = 0, pushed_bytes_ = 0, next_ = 1;
};

}  // namespace orrery::serve
