// One GGUF file: header, metadata, list of tensors, and the check that every tensor lies in the
// data section, aligned, with exactly its shape's bytes, and over no other.
#include <algorithm>

#include "checkpoint/gguf.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

// Header, metadata and list of tensors are read from so many bytes. Vocabularies and templates take
// up to 40 MB in real files; the limit bounds what a hostile file can make us copy.
constexpr u64 kFrontBytesMax = u64(128) << 20;
constexpr u64 kTensorsMax = 262'144;      // the largest models, with experts stacked, have 2000
constexpr u64 kTensorNameBytesMax = 256;  // the specification says 64; some converters exceed it
constexpr u32 kDimensionsMax = 4;
constexpr u64 kAlignmentDefault = 32;
constexpr u64 kAlignmentMin = 8;  // the specification wants multiples of 8
constexpr u64 kAlignmentMax = u64(1) << 20;

struct Header {
  u32 version = 0;
  u64 tensors = 0;
  u64 keys = 0;
};

Result<Header> read_header(ByteReader& in) {
  const std::optional<Bytes> magic = in.take(4);
  if (!magic || std::memcmp(magic->data(), "GGUF", 4) != 0) return fail("this is no GGUF file");
  const std::optional<u32> version = in.read<u32>();
  if (!version) return fail("the file ends inside the header");
  if ((*version & 0xffff) == 0 && *version != 0)
    return fail("this GGUF file is big-endian, only little-endian ones are supported");
  if (*version == 1)
    return fail("GGUF version 1 (of 2023) is not supported, convert the model anew");
  if (*version != 2 && *version != 3)
    return fail("GGUF version {} is not supported, only 2 and 3 are", *version);
  const std::optional<u64> tensors = in.read<u64>(), keys = in.read<u64>();
  if (!tensors || !keys) return fail("the file ends inside the header");
  return Header{*version, *tensors, *keys};
}

Result<u64> read_alignment(const Object& metadata) {
  const auto it = metadata.find("general.alignment");
  if (it == metadata.end()) return kAlignmentDefault;
  const i64* value = std::get_if<i64>(&it->second.data);
  if (!value) return fail("general.alignment is no integer");
  if (*value < i64(kAlignmentMin) || *value > i64(kAlignmentMax) ||
      !std::has_single_bit(u64(*value)))
    return fail("general.alignment is {}, not a power of two from {} to {}", *value, kAlignmentMin,
                kAlignmentMax);
  return u64(*value);
}

// Types that files of 2023 and 2024 had and that the format has dropped since.
std::string_view removed_type(u32 type) {
  switch (type) {
    case 4:
      return "Q4_2";
    case 5:
      return "Q4_3";
    case 31:
      return "Q4_0_4_4";
    case 32:
      return "Q4_0_4_8";
    case 33:
      return "Q4_0_8_8";
    case 36:
      return "IQ4_NL_4_4";
    case 37:
      return "IQ4_NL_4_8";
    case 38:
      return "IQ4_NL_8_8";
    default:
      return {};
  }
}

// One entry of the list of tensors, before its place in the file is checked.
struct Entry {
  TensorView tensor;
  u64 offset = 0;  // from the start of the data section
  u64 bytes = 0;
};

Result<void> read_shape(ByteReader& in, std::vector<u64>& shape) {
  const std::optional<u32> dimensions = in.read<u32>();
  if (!dimensions) return fail("the file ends inside its shape");
  if (*dimensions < 1 || *dimensions > kDimensionsMax)
    return fail("{} dimensions, not 1 to {}", *dimensions, kDimensionsMax);
  shape.resize(*dimensions);
  for (u32 i = *dimensions; i-- > 0;) {  // the file has the row length first
    const std::optional<u64> size = in.read<u64>();
    if (!size) return fail("the file ends inside its shape");
    if (*size == 0) return fail("a dimension is 0");
    shape[i] = *size;
  }
  return {};
}

Result<Format> read_format(ByteReader& in) {
  const std::optional<u32> type = in.read<u32>();
  if (!type) return fail("the file ends inside its type");
  if (const std::optional<Format> format = format_from_gguf(*type)) return *format;
  if (const std::string_view name = removed_type(*type); !name.empty())
    return fail("type {} was removed from the format, convert the model anew", name);
  return fail("unknown tensor type {}", *type);
}

Result<u64> size_of(const TensorView& tensor) {
  std::optional<u64> bytes = row_bytes(tensor.format, tensor.shape.back());
  if (!bytes)
    return fail("rows of {} values are no whole blocks of {}", tensor.shape.back(),
                name(tensor.format));
  for (u64 i = 0; i + 1 < tensor.shape.size() && bytes; ++i)
    bytes = checked_mul(*bytes, tensor.shape[i]);
  if (!bytes) return fail("the size of its shape overflows");
  return *bytes;
}

Result<void> read_entry_after_name(ByteReader& in, Entry& entry) {
  CHECK_OK(read_shape(in, entry.tensor.shape));
  TRY(entry.tensor.format, read_format(in));
  const std::optional<u64> offset = in.read<u64>();
  if (!offset) return fail("the file ends inside its offset");
  entry.offset = *offset;
  TRY(entry.bytes, size_of(entry.tensor));
  return {};
}

Result<std::vector<Entry>> read_entries(ByteReader& in, u64 count) {
  constexpr u64 kEntrySizeMin = 8 + 1 + 4 + 8 + 4 + 8;  // name, dimensions, one size, type, offset
  if (count > in.remaining() / kEntrySizeMin)
    return fail("{} tensors, but only {} bytes are left", count, in.remaining());
  if (count > kTensorsMax) return fail("{} tensors, more than {}", count, kTensorsMax);
  std::vector<Entry> entries(count);
  for (u64 i = 0; i < count; ++i) {
    const u64 begin = in.position();
    const std::optional<std::string_view> name = in.read_string();
    if (!name) return fail("the file ends inside the name of tensor {} (at byte {})", i, begin);
    if (!is_valid_name(*name, kTensorNameBytesMax))
      return fail("tensor {} has no valid name: {} (at byte {})", i, shown(*name), begin);
    entries[i].tensor.name = *name;
    if (const auto rest = read_entry_after_name(in, entries[i]); !rest)
      return fail("tensor {} (at byte {}): {}", shown(*name), begin, rest.error().message);
  }
  return entries;
}

Result<void> place(Entry& entry, Bytes data, u64 alignment) {
  const std::string name = shown(entry.tensor.name);
  if (entry.offset % alignment != 0)
    return fail("tensor {}: offset {} is no multiple of {}", name, entry.offset, alignment);
  const std::optional<u64> end = checked_add(entry.offset, entry.bytes);
  if (!end || *end > data.size())
    return fail(
        "tensor {}: its {} bytes at offset {} reach past the end of the file ({} bytes of data)",
        name, entry.bytes, entry.offset, data.size());
  entry.tensor.bytes = data.subspan(entry.offset, entry.bytes);
  return {};
}

Result<void> check_no_overlap(const std::vector<Entry>& entries) {
  std::vector<const Entry*> sorted;
  sorted.reserve(entries.size());
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
  for (u64 i = 1; i < sorted.size(); ++i)
    if (sorted[i - 1]->offset + sorted[i - 1]->bytes > sorted[i]->offset)
      return fail("tensors {} and {} overlap", shown(sorted[i - 1]->tensor.name),
                  shown(sorted[i]->tensor.name));
  return {};
}

}  // namespace

Result<GgufPart> parse_gguf(Bytes file) {
  ByteReader in(file.first(std::min<u64>(file.size(), kFrontBytesMax)));
  TRY(const Header header, read_header(in));
  GgufPart part;
  part.version = header.version;
  TRY(part.metadata, read_gguf_metadata(in, header.keys));
  TRY(const u64 alignment, read_alignment(part.metadata));
  TRY(std::vector<Entry> entries, read_entries(in, header.tensors));
  const u64 data_begin = std::min<u64>(round_up(in.position(), alignment), file.size());
  for (Entry& entry : entries) CHECK_OK(place(entry, file.subspan(data_begin), alignment));
  CHECK_OK(check_no_overlap(entries));
  part.tensors.reserve(entries.size());
  for (Entry& entry : entries) part.tensors.push_back(std::move(entry.tensor));
  return part;
}

}  // namespace orrery::checkpoint
