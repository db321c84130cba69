// ProtobufReader: the fields of a protocol buffer message, one after another.
//
// Only the wire format (varint, 64 bit, bytes, 32 bit); what a field means is the caller's. Every
// length is checked against the bytes that there are.
#pragma once

#include <bit>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/types.h"

namespace orrery::text {

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : rest_(message) {}

  struct Field {
    u32 number = 0;
    u64 integer = 0;         // varints and fixed widths
    std::string_view bytes;  // strings, bytes, messages
    [[nodiscard]] bool flag() const { return integer != 0; }
    [[nodiscard]] f32 number_f32() const { return std::bit_cast<f32>(u32(integer)); }
  };

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] Result<Field> next() {
    TRY(const u64 key, varint());
    Field field;
    field.number = u32(key >> 3);
    if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFF) return fail("a field has no valid number");
    switch (key & 7) {
      case 0: {
        TRY(field.integer, varint());
        return field;
      }
      case 1:
        return fixed(field, 8);
      case 2: {
        TRY(const u64 length, varint());
        if (length > rest_.size()) return fail("a field is longer than its message");
        field.bytes = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return field;
      }
      case 5:
        return fixed(field, 4);
      default:
        return fail("a field has an unknown wire type");
    }
  }

 private:
  Result<u64> varint() {
    u64 value = 0;
    for (u32 shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return fail("a number is cut off");
      const u8 byte = u8(rest_[0]);
      rest_.remove_prefix(1);
      value |= u64(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return fail("a number is longer than 64 bits");
  }

  Result<Field> fixed(Field field, u64 bytes) {
    if (rest_.size() < bytes) return fail("a number is cut off");
    for (u64 i = 0; i < bytes; ++i) field.integer |= u64(u8(rest_[i])) << (8 * i);
    rest_.remove_prefix(bytes);
    return field;
  }

  std::string_view rest_;
};

}  // namespace orrery::text
