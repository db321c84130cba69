#include "apps/npy_writer.h"

#include <bit>

namespace orrery::apps {

static_assert(std::endian::native == std::endian::little,
              "values are written as they lie in memory");

Result<NpyWriter> NpyWriter::create(const std::filesystem::path& path, u64 rows, u64 columns) {
  NpyWriter writer;
  writer.path_ = path;
  writer.rows_left_ = rows;
  writer.columns_ = columns;
  writer.stream_.open(path, std::ios::binary | std::ios::trunc);
  if (!writer.stream_) return fail("cannot write {}", path.string());
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  constexpr u64 kBefore = 10, kAlignment = 64;  // magic, version and length come before the header
  header.resize(round_up(kBefore + header.size() + 1, kAlignment) - kBefore - 1, ' ');
  header += '\n';
  const char length[2] = {char(header.size() & 0xff), char(header.size() >> 8)};
  writer.stream_.write("\x93NUMPY\x01\x00", 8).write(length, 2) << header;
  return writer;
}

Result<void> NpyWriter::write(std::span<const f32> row) {
  if (row.size() != columns_ || rows_left_ == 0)
    return fail("a row of {} in a file of {}", row.size(), columns_);
  --rows_left_;
  stream_.write(reinterpret_cast<const char*>(row.data()), std::streamsize(row.size_bytes()));
  if (!stream_) return fail("cannot write {}: is the disk full?", path_.string());
  return {};
}

Result<void> NpyWriter::finish() {
  if (rows_left_ > 0) return fail("{} rows of {} are missing", rows_left_, path_.string());
  stream_.close();
  if (!stream_) return fail("cannot write {}: is the disk full?", path_.string());
  return {};
}

}  // namespace orrery::apps
