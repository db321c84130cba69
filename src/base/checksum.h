// Checksum: 64 bits over bytes, fast enough to keep up with memory.
//
// Four independent chains of multiply and add. It finds accidents, not attacks.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/types.h"

namespace orrery {

class Checksum {
 public:
  void add(Bytes bytes) {
    u64 at = 0;
    for (; at + 32 <= bytes.size(); at += 32)
      for (u32 lane = 0; lane < 4; ++lane) step(lane, word(bytes.data() + at + 8 * lane, 8));
    for (u32 lane = 0; at < bytes.size(); at += 8, ++lane)
      step(lane % 4, word(bytes.data() + at, std::min<u64>(8, bytes.size() - at)));
    step(0, bytes.size());
  }
  void add(u64 value) { step(1, value); }
  void add(std::string_view text) {
    add(Bytes{reinterpret_cast<const u8*>(text.data()), text.size()});
  }
  [[nodiscard]] u64 value() const {
    u64 all = 0;
    for (const u64 lane : lanes_) all = mix(all ^ lane);
    return all;
  }

 private:
  static u64 word(const u8* from, u64 bytes) {
    u64 value = 0;
    std::memcpy(&value, from, bytes);
    return value;
  }
  static u64 mix(u64 x) {
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    return x ^ x >> 29;
  }
  void step(u32 lane, u64 value) {
    lanes_[lane] = (lanes_[lane] + value) * 0x9e3779b97f4a7c15;
    lanes_[lane] ^= lanes_[lane] >> 31;
  }
  u64 lanes_[4] = {1, 2, 3, 4};
};

[[nodiscard]] inline u64 checksum(Bytes bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.value();
}

}  // namespace orrery
