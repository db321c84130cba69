// GGUF metadata: every count is held against the bytes that are left before anything is allocated,
// and all arrays of a file share one budget of elements, because an empty string takes 8 bytes of
// file but 32 of memory.
#include "checkpoint/gguf_metadata.h"

#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

constexpr u64 kKeysMax = 65'536;      // real files have up to 200
constexpr u64 kKeyBytesMax = 65'535;  // the specification's limit
constexpr u64 kElementsMax =
    4 << 20;                       // 256 000 tokens with scores, types and merges need 1.3 million
constexpr u32 kArrayDepthMax = 8;  // the specification allows nesting, no real file has it

// Bytes that one element takes at least in the file.
u64 size_min(GgufType type) {
  constexpr u8 kSizes[kGgufTypeCount] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return kSizes[u32(type)];
}

class MetadataReader {
 public:
  explicit MetadataReader(ByteReader& in) : in_(in) {}

  Result<Value> value() {
    TRY(const GgufType type, read_type());
    return type == GgufType::kArray ? array(1) : scalar(type);
  }

 private:
  tl::unexpected<Error> cut_off() const { return fail("the file ends inside the value"); }

  Result<GgufType> read_type() {
    const std::optional<u32> number = in_.read<u32>();
    if (!number) return cut_off();
    if (*number >= kGgufTypeCount) return fail("unknown value type {}", *number);
    return GgufType(*number);
  }

  template <typename T>
  Result<T> number() {
    const std::optional<T> value = in_.read<T>();
    if (!value) return cut_off();
    return *value;
  }

  Result<i64> integer(GgufType type) {
    switch (type) {
      case GgufType::kU8:
        return number<u8>();
      case GgufType::kI8:
        return number<i8>();
      case GgufType::kU16:
        return number<u16>();
      case GgufType::kI16:
        return number<i16>();
      case GgufType::kU32:
        return number<u32>();
      case GgufType::kI32:
        return number<i32>();
      case GgufType::kI64:
        return number<i64>();
      default:
        break;
    }
    TRY(const u64 value, number<u64>());
    if (value > u64(INT64_MAX)) return fail("the integer {} is too large", value);
    return i64(value);
  }

  Result<f64> floating(GgufType type) {
    if (type == GgufType::kF32) return number<f32>();
    return number<f64>();
  }

  Result<bool> boolean() {
    TRY(const u8 value, number<u8>());
    if (value > 1) return fail("a bool has the value {}", value);
    return value == 1;
  }

  Result<std::string> string() {
    const std::optional<std::string_view> text = in_.read_string();
    if (!text) return fail("the file ends inside a string");
    return std::string(*text);
  }

  Result<Value> scalar(GgufType type) {
    switch (type) {
      case GgufType::kF32:
      case GgufType::kF64:
        return floating(type).map([](f64 value) { return Value{value}; });
      case GgufType::kBool:
        return boolean().map([](bool value) { return Value{value}; });
      case GgufType::kString:
        return string().map([](std::string&& text) { return Value{std::move(text)}; });
      default:
        return integer(type).map([](i64 value) { return Value{value}; });
    }
  }

  template <typename Container, typename ReadOne>
  Result<Value> elements(u64 count, ReadOne read_one) {
    Container values;
    values.reserve(count);
    for (u64 i = 0; i < count; ++i) {
      auto element = read_one();
      if (!element) return at(fmt::format("array element {}", i), element.error());
      values.push_back(std::move(*element));
    }
    return Value{std::move(values)};
  }

  Result<Value> array(u32 depth) {
    if (depth > kArrayDepthMax) return fail("arrays are nested more than {} deep", kArrayDepthMax);
    TRY(const GgufType type, read_type());
    TRY(const u64 count, number<u64>());
    if (count > in_.remaining() / size_min(type))
      return fail("an array of {} elements, but only {} bytes are left", count, in_.remaining());
    if (count > elements_left_) return fail("arrays of more than {} elements", kElementsMax);
    elements_left_ -= count;
    switch (type) {
      case GgufType::kF32:
      case GgufType::kF64:
        return elements<Floats>(count, [&] { return floating(type); });
      case GgufType::kString:
        return elements<Strings>(count, [&] { return string(); });
      case GgufType::kBool:
        return elements<Array>(count, [&] { return scalar(type); });
      case GgufType::kArray:
        return elements<Array>(count, [&] { return array(depth + 1); });
      default:
        return elements<Integers>(count, [&] { return integer(type); });
    }
  }

  ByteReader& in_;
  u64 elements_left_ = kElementsMax;
};

}  // namespace

Result<Object> read_gguf_metadata(ByteReader& in, u64 count) {
  constexpr u64 kKeySizeMin = 8 + 1 + 4 + 1;  // length, a letter, type, the smallest value
  if (count > in.remaining() / kKeySizeMin)
    return fail("{} metadata keys, but only {} bytes are left", count, in.remaining());
  if (count > kKeysMax) return fail("{} metadata keys, more than {}", count, kKeysMax);
  MetadataReader reader(in);
  Object object;
  for (u64 i = 0; i < count; ++i) {
    const u64 begin = in.position();
    const std::optional<std::string_view> key = in.read_string();
    if (!key) return fail("the file ends inside metadata key {} (at byte {})", i, begin);
    if (!is_valid_name(*key, kKeyBytesMax))
      return fail("metadata key {} has no valid name: {} (at byte {})", i, shown(*key), begin);
    Result<Value> value = reader.value();
    if (!value)
      return fail("metadata key {} (at byte {}): {}", shown(*key), begin, value.error().message);
    if (!object.emplace(*key, std::move(*value)).second)
      return fail("metadata key {} stands twice (at byte {})", shown(*key), begin);
  }
  return object;
}

}  // namespace orrery::checkpoint
