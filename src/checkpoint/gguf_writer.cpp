// The GGUF writer: builds header, metadata and list of tensors in memory, streams the data.
#include "checkpoint/gguf_writer.h"

#include <system_error>
#include <type_traits>

#include "checkpoint/gguf_metadata.h"
#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

static_assert(std::variant_size_v<decltype(GgufValue::data)> == kGgufTypeCount);

template <typename T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void put_string(std::string& out, std::string_view text) {
  put(out, u64(text.size()));
  out += text;
}

Result<void> put_value(std::string& out, const GgufValue& value);

Result<void> put_array(std::string& out, const GgufArray& array) {
  put(out, array.type);
  put(out, u64(array.elements.size()));
  for (const GgufValue& element : array.elements) {
    if (element.data.index() != array.type)
      return fail("an array of type {} has an element of type {}", array.type,
                  element.data.index());
    CHECK_OK(put_value(out, element));
  }
  return {};
}

Result<void> put_value(std::string& out, const GgufValue& value) {
  if (const auto* array = std::get_if<GgufArray>(&value.data)) return put_array(out, *array);
  std::visit(
      [&]<typename T>(const T& scalar) {
        if constexpr (std::is_same_v<T, std::string>)
          put_string(out, scalar);
        else if constexpr (std::is_arithmetic_v<T>)
          put(out, scalar);
      },
      value.data);
  return {};
}

Result<u64> bytes_of(const GgufTensor& tensor) {
  if (tensor.shape.empty() || tensor.shape.size() > 4)
    return fail("tensor {}: {} dimensions, not 1 to 4", shown(tensor.name), tensor.shape.size());
  if (info(tensor.format).gguf_type < 0)
    return fail("tensor {}: GGUF has no {}", shown(tensor.name), name(tensor.format));
  std::optional<u64> bytes = row_bytes(tensor.format, tensor.shape.back());
  for (u64 i = 0; i + 1 < tensor.shape.size() && bytes; ++i)
    bytes = checked_mul(*bytes, tensor.shape[i]);
  if (!bytes || *bytes == 0)
    return fail("tensor {}: its shape makes no whole blocks", shown(tensor.name));
  return *bytes;
}

}  // namespace

GgufWriter::GgufWriter(std::filesystem::path path, u32 alignment)
    : path_(std::move(path)), unfinished_(path_), alignment_(alignment) {
  unfinished_ += ".unfinished";
}

GgufWriter::~GgufWriter() {
  if (!stream_.is_open()) return;
  stream_.close();
  std::error_code ignored;
  std::filesystem::remove(unfinished_, ignored);
}

Result<std::unique_ptr<GgufWriter>> GgufWriter::create(const std::filesystem::path& path,
                                                       const GgufMetadata& metadata,
                                                       const std::vector<GgufTensor>& tensors,
                                                       u32 alignment) {
  if (!std::has_single_bit(alignment) || alignment < 8)
    return fail("{}: the alignment {} is no power of two from 8", path.string(), alignment);
  std::unique_ptr<GgufWriter> writer(new GgufWriter(path, alignment));
  if (const auto begun = writer->begin(metadata, tensors); !begun)
    return at(path.string(), begun.error());
  return writer;
}

Result<void> GgufWriter::begin(const GgufMetadata& metadata,
                               const std::vector<GgufTensor>& tensors) {
  std::string front = "GGUF";
  put(front, u32(3));
  put(front, u64(tensors.size()));
  put(front, u64(metadata.size()));
  for (const auto& [key, value] : metadata) {
    put_string(front, key);
    put(front, u32(value.data.index()));
    CHECK_OK(put_value(front, value));
  }
  u64 offset = 0;
  for (const GgufTensor& tensor : tensors) {
    TRY(const u64 bytes, bytes_of(tensor));
    put_string(front, tensor.name);
    put(front, u32(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) put(front, *size);
    put(front, u32(info(tensor.format).gguf_type));
    put(front, offset);
    tensor_bytes_.push_back(bytes);
    offset = round_up<u64>(offset + bytes, alignment_);
  }
  stream_.open(unfinished_, std::ios::binary | std::ios::trunc);
  stream_ << front;
  if (!tensors.empty()) pad(front.size());
  if (!stream_) return fail("cannot be written");
  return {};
}

void GgufWriter::pad(u64 position) {
  const std::string zeros(round_up<u64>(position, alignment_) - position, '\0');
  stream_ << zeros;
}

Result<void> GgufWriter::write(Bytes piece) {
  if (piece.empty()) return {};
  if (tensor_ == tensor_bytes_.size() || piece.size() > tensor_bytes_[tensor_] - written_)
    return fail("{}: more data than tensor {} has room for", path_.string(), tensor_);
  stream_.write(reinterpret_cast<const char*>(piece.data()), std::streamsize(piece.size()));
  written_ += piece.size();
  if (written_ == tensor_bytes_[tensor_]) {
    pad(written_);  // offsets are relative to the data section, which is aligned itself
    written_ = 0;
    ++tensor_;
  }
  if (!stream_) return fail("{}: cannot be written, is the disk full?", path_.string());
  return {};
}

Result<void> GgufWriter::finish() {
  if (tensor_ != tensor_bytes_.size())
    return fail("{}: the data of tensor {} is not complete", path_.string(), tensor_);
  stream_.close();
  if (!stream_) return fail("{}: cannot be written, is the disk full?", path_.string());
  std::error_code code;
  std::filesystem::rename(unfinished_, path_, code);
  if (code) return fail("{}: {}", path_.string(), code.message());
  return {};
}

}  // namespace orrery::checkpoint
