// The safetensors header is read as a stream of JSON events straight into tensors, so that nothing
// but the one form that a header may have takes any memory; anything else stops the reading.
#include "checkpoint/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "checkpoint/byte_reader.h"
#include "checkpoint/json_events.h"
#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

// A tensor takes about 100 bytes of header; the largest single files have 20 000 tensors. (The
// reference implementation stops at 100 MB.)
constexpr u64 kHeaderBytesMax = u64(32) << 20;
constexpr u64 kNameBytesMax = 1024;
constexpr u64 kDimensionsMax = 8;

std::optional<Format> format_of(std::string_view dtype) {
  constexpr std::pair<std::string_view, Format> kDtypes[] = {
      {"F64", Format::kF64},        {"F32", Format::kF32},         {"F16", Format::kF16},
      {"BF16", Format::kBF16},      {"I64", Format::kI64},         {"I32", Format::kI32},
      {"I16", Format::kI16},        {"I8", Format::kI8},           {"U8", Format::kU8},
      {"BOOL", Format::kBool},      {"F8_E4M3", Format::kF8_E4M3}, {"F8_E5M2", Format::kF8_E5M2},
      {"F8_E8M0", Format::kF8_E8M0}};
  for (const auto& [name, format] : kDtypes)
    if (name == dtype) return format;
  return std::nullopt;
}

struct Entry {
  TensorView tensor;
  std::array<u64, 2> offsets{};  // begin and end, from the start of the data
};

class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::string problem;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a bool"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return unexpected("a number that is no integer or too large");
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      std::vector<u64>& shape = entries.back().tensor.shape;
      if (shape.size() == kDimensionsMax) return stop("more than {} dimensions", kDimensionsMax);
      shape.push_back(value);
      return true;
    }
    if (state_ != State::kOffsets) return unexpected("a number");
    if (offsets_seen_ == 2) return stop("more than two data_offsets");
    entries.back().offsets[offsets_seen_++] = value;
    return true;
  }

  bool string(string_t& text) override {
    if (state_ == State::kMetadata) return true;
    if (state_ != State::kTensor || field_ != Field::kDtype) return unexpected("a string");
    const std::optional<Format> format = format_of(text);
    if (!format) return stop("dtype {} is not supported", shown(text));
    entries.back().tensor.format = *format;
    return true;
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) return go(State::kHeader);
    if (state_ == State::kHeader) return go(in_metadata_ ? State::kMetadata : State::kTensor);
    return unexpected("an object");
  }

  bool end_object() override {
    if (state_ == State::kTensor && fields_seen_ != kAllFields)
      return stop("dtype, shape and data_offsets are not all there");
    return go(state_ == State::kHeader ? State::kEnd : State::kHeader);
  }

  bool start_array(std::size_t) override {
    if (state_ != State::kTensor || field_ == Field::kDtype) return unexpected("an array");
    return go(field_ == Field::kShape ? State::kShape : State::kOffsets);
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_seen_ != 2) return stop("fewer than two data_offsets");
    return go(State::kTensor);
  }

  bool key(string_t& name) override {
    if (state_ == State::kMetadata) return true;
    return state_ == State::kHeader ? begin_entry(name) : begin_field(name);
  }

  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    problem = fmt::format("not valid JSON: {}", json_problem(error));
    return false;
  }

 private:
  enum class State : u8 { kStart, kHeader, kMetadata, kTensor, kShape, kOffsets, kEnd };
  enum class Field : u8 { kDtype = 1, kShape = 2, kOffsets = 4 };
  static constexpr u8 kAllFields = 7;

  bool go(State state) {
    state_ = state;
    return true;
  }

  template <typename... Args>
  bool stop(fmt::format_string<Args...> format, Args&&... args) {
    problem = fmt::format(format, std::forward<Args>(args)...);
    if (state_ == State::kMetadata) problem = "__metadata__: " + problem;
    if (state_ == State::kTensor || state_ == State::kShape || state_ == State::kOffsets)
      problem = fmt::format("tensor {}: {}", shown(entries.back().tensor.name), problem);
    return false;
  }

  bool unexpected(std::string_view what) { return stop("{} where none may stand", what); }

  bool begin_entry(const std::string& name) {
    in_metadata_ = name == "__metadata__";
    if (in_metadata_)
      return std::exchange(metadata_seen_, true) ? stop("__metadata__ stands twice") : true;
    if (!is_valid_name(name, kNameBytesMax)) return stop("{} is no valid name", shown(name));
    entries.emplace_back().tensor.name = name;
    fields_seen_ = 0;
    offsets_seen_ = 0;
    return true;
  }

  bool begin_field(const std::string& name) {
    if (name == "dtype")
      field_ = Field::kDtype;
    else if (name == "shape")
      field_ = Field::kShape;
    else if (name == "data_offsets")
      field_ = Field::kOffsets;
    else
      return stop("the unknown field {}", shown(name));
    if (fields_seen_ & u8(field_)) return stop("the field {} stands twice", shown(name));
    fields_seen_ |= u8(field_);
    return true;
  }

  State state_ = State::kStart;
  Field field_ = Field::kDtype;
  u8 fields_seen_ = 0;   // of the tensor that is open
  u8 offsets_seen_ = 0;  // of the tensor that is open
  bool in_metadata_ = false;
  bool metadata_seen_ = false;
};

Result<std::vector<Entry>> read_header(std::string_view json) {
  if (!json.starts_with('{')) return fail("the header does not begin with {{");
  HeaderReader reader;
  if (const auto read = read_json(json, reader); !read) return at("the header", read.error());
  return std::move(reader.entries);
}

// Sets the view; `covered` is how far the tensors before this one (in order of offsets) reach.
Result<void> place(Entry& entry, Bytes data, u64 covered) {
  const auto [begin, end] = entry.offsets;
  if (begin > end || end > data.size())
    return fail("data_offsets {} to {} are not inside the {} bytes of data", begin, end,
                data.size());
  if (begin < covered)
    return fail("it overlaps the tensor before it (data_offsets {} to {})", begin, end);
  if (begin > covered) return fail("{} bytes before it belong to no tensor", begin - covered);
  std::optional<u64> bytes = info(entry.tensor.format).block_bytes;
  for (const u64 size : entry.tensor.shape)
    if (bytes) bytes = checked_mul(*bytes, size);
  if (!bytes) return fail("the size of its shape overflows");
  if (*bytes != end - begin)
    return fail("its shape takes {} bytes, but its data_offsets {}", *bytes, end - begin);
  entry.tensor.bytes = data.subspan(begin, *bytes);
  return {};
}

}  // namespace

Result<std::vector<TensorView>> parse_safetensors(Bytes file) {
  ByteReader in(file);
  const std::optional<u64> header_bytes = in.read<u64>();
  if (!header_bytes) return fail("this is no safetensors file: it has {} bytes", file.size());
  if (*header_bytes > in.remaining())
    return fail("the header's length is {}, but only {} bytes are left", *header_bytes,
                in.remaining());
  if (*header_bytes > kHeaderBytesMax)
    return fail("the header's length is {}, more than {}", *header_bytes, kHeaderBytesMax);
  const Bytes header = *in.take(*header_bytes);
  const Bytes data = *in.take(in.remaining());
  TRY(std::vector<Entry> entries,
      read_header({reinterpret_cast<const char*>(header.data()), header.size()}));
  // Empty tensors share their offset with the next one: the end decides.
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  std::vector<TensorView> tensors;
  tensors.reserve(entries.size());
  u64 covered = 0;
  for (Entry& entry : entries) {
    if (const auto placed = place(entry, data, covered); !placed)
      return fail("tensor {}: {}", shown(entry.tensor.name), placed.error().message);
    covered = entry.offsets[1];
    tensors.push_back(std::move(entry.tensor));
  }
  if (covered != data.size())
    return fail("the last {} bytes of the file belong to no tensor", data.size() - covered);
  return tensors;
}

}  // namespace orrery::checkpoint
