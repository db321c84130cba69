#include "model/pack_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "base/checksum.h"
#include "base/new_file.h"

namespace orrery::model {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'O', 'R', 'R', 'P', 'A', 'C', 'K', '1'};
constexpr u64 kPackDataOffset = u64(2) << 20;  // a huge page
constexpr u64 kPieceBytes = u64(4) << 20;      // checked and written at a time
constexpr u64 kNameBytes = 256;
constexpr u64 kHeaderWords = 8 + kNameBytes / 8;

u64 pieces_of(u64 bytes) { return divide_up(bytes, kPieceBytes); }
Bytes piece(Bytes data, u64 index) {
  const u64 begin = index * kPieceBytes;
  return data.subspan(begin, std::min<u64>(kPieceBytes, data.size() - begin));
}

// The header and the table of checksums; word 7 is their own checksum.
std::vector<u64> make_header(const PackKey& key, std::string_view model, u64 data_bytes,
                             const std::vector<u64>& sums) {
  std::vector<u64> words(kHeaderWords);
  std::memcpy(words.data(), kMagic, sizeof kMagic);
  words[1] = kPackVersion;
  words[2] = key[0];
  words[3] = key[1];
  words[4] = data_bytes;
  words[5] = kPieceBytes;
  words[6] = sums.size();
  std::memcpy(words.data() + 8, model.data(), std::min<u64>(model.size(), kNameBytes - 1));
  words.insert(words.end(), sums.begin(), sums.end());
  words[7] = checksum({reinterpret_cast<const u8*>(words.data()), words.size() * 8});
  return words;
}

// The header of a mapped pack, with every number in it checked against the file.
Result<std::vector<u64>> read_header(const MappedFile& file) {
  const Bytes bytes = file.bytes();
  if (bytes.size() < kPackDataOffset) return fail("it is too short");
  std::vector<u64> words(kHeaderWords);
  std::memcpy(words.data(), bytes.data(), kHeaderWords * 8);
  if (std::memcmp(words.data(), kMagic, sizeof kMagic) != 0) return fail("it is no pack");
  if (words[1] != kPackVersion) return fail("it is of another version of orrery");
  const u64 data = words[4], pieces = words[6];
  if (words[5] != kPieceBytes || data > bytes.size() || pieces != pieces_of(data) ||
      pieces > kPackDataOffset / 8 - kHeaderWords || bytes.size() != kPackDataOffset + data)
    return fail("its lengths do not fit the file");
  words.resize(kHeaderWords + pieces);
  std::memcpy(words.data(), bytes.data(), words.size() * 8);
  const u64 expected = std::exchange(words[7], 0);
  if (checksum({reinterpret_cast<const u8*>(words.data()), words.size() * 8}) != expected)
    return fail("its header is damaged");
  return words;
}

Result<void> check_pieces(Bytes data, const std::vector<u64>& header, const ParallelFor& parallel) {
  std::atomic<bool> damaged{false};
  parallel(pieces_of(data.size()), [&](u64 i) {
    if (!damaged.load(std::memory_order_relaxed) &&
        checksum(piece(data, i)) != header[kHeaderWords + i])
      damaged = true;
  });
  if (damaged) return fail("its data is damaged");
  return {};
}

// Everything about a file that changes when somebody writes to it or puts another in its place.
Result<void> add_state(const fs::path& path, Checksum& to) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return fail("{}: {}", path.string(), std::strerror(errno));
  for (const i64 value : {i64(s.st_dev), i64(s.st_ino), i64(s.st_size), i64(s.st_mtim.tv_sec),
                          i64(s.st_mtim.tv_nsec), i64(s.st_ctim.tv_sec), i64(s.st_ctim.tv_nsec)})
    to.add(u64(value));
  return {};
}

// The file, or all files of a folder, or of the folder that holds the parts of a split file.
Result<void> add_states(const fs::path& path, Checksum& to) {
  std::error_code code;
  const bool folder = fs::is_directory(path, code);
  const bool split = path.filename().string().find("-of-") != std::string::npos;
  if (!folder && !split) return add_state(path, to);
  std::vector<fs::path> files;
  for (fs::directory_iterator it(folder ? path : path.parent_path(), code), end; !code && it != end;
       it.increment(code))
    if (folder || it->path().filename().string().find("-of-") != std::string::npos)
      files.push_back(it->path());
  if (code) return fail("{}: {}", path.string(), code.message());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    to.add(std::string_view(file.filename().native()));
    CHECK_OK(add_state(file, to));
  }
  return {};
}

void add_samples(Bytes bytes, Checksum& to) {
  constexpr u64 kSample = 4096;
  for (const u64 begin : {u64(0), bytes.size() / 2, bytes.size() - std::min(bytes.size(), kSample)})
    to.add(bytes.subspan(begin, std::min<u64>(kSample, bytes.size() - begin)));
}

}  // namespace

Result<PackKey> pack_key(const checkpoint::Checkpoint& checkpoint, const BindPlan& plan) {
  Checksum files, content;
  CHECK_OK(add_states(checkpoint.path(), files));
  files.add(checkpoint.file_bytes());
  content.add(kPackVersion);
  content.add(plan.bytes);
  const checkpoint::TensorView* sampled = nullptr;
  for (u64 i = 0; i < plan.tensors.size(); ++i) {
    const BoundTensor& tensor = plan.tensors[i];
    content.add(std::string_view(tensor.name));
    for (const u64 value :
         {u64(tensor.role), u64(tensor.layer), u64(tensor.index), u64(tensor.format),
          u64(tensor.layout), u64(tensor.packed_from), tensor.packed_bytes, plan.offsets[i]})
      content.add(value);
    for (const u64 length : tensor.shape) content.add(length);
    if (plan.sources[i].view == sampled) continue;  // a stack of matrices is one tensor
    sampled = plan.sources[i].view;
    add_samples(sampled->bytes, content);
  }
  return PackKey{files.value(), content.value()};
}

u64 pack_file_bytes(u64 data_bytes) { return kPackDataOffset + data_bytes; }

std::string pack_name(const PackKey& key) {
  return fmt::format("{:016x}{:016x}.pack", key[0], key[1]);
}

Result<MappedFile> open_pack(const fs::path& path, const PackKey& key, u64 data_bytes,
                             const ParallelFor& parallel) {
  TRY(MappedFile file, MappedFile::open(path));
  auto header = read_header(file);
  if (!header) return at(path.string(), header.error());
  if ((*header)[2] != key[0] || (*header)[3] != key[1] || (*header)[4] != data_bytes)
    return fail("{}: it is the pack of another model", path.string());
  auto checked = check_pieces(pack_data(file, data_bytes), *header, parallel);
  if (!checked) return at(path.string(), checked.error());
  return file;
}

Bytes pack_data(const MappedFile& pack, u64 data_bytes) {
  return pack.bytes().subspan(kPackDataOffset, data_bytes);
}

Result<std::string> pack_model(const fs::path& path) {
  TRY(const MappedFile file, MappedFile::open(path));
  TRY(const std::vector<u64> header, read_header(file));
  const char* name = reinterpret_cast<const char*>(header.data() + 8);
  return std::string(name, ::strnlen(name, kNameBytes));
}

Result<void> verify_pack(const fs::path& path, const ParallelFor& parallel) {
  TRY(const MappedFile file, MappedFile::open(path));
  TRY(const std::vector<u64> header, read_header(file));
  return check_pieces(pack_data(file, header[4]), header, parallel);
}

Result<void> write_pack(const fs::path& path, const PackKey& key, std::string_view model,
                        Bytes data, const std::atomic<bool>& stop) {
  if (pieces_of(data.size()) > kPackDataOffset / 8 - kHeaderWords)
    return fail("{}: the weights are too large for a pack", path.string());
  NewFile file(path);
  CHECK_OK(file.opened());
  std::vector<u64> sums;
  for (u64 i = 0; i < pieces_of(data.size()); ++i) {
    if (stop) return fail("{}: left off", path.string());
    sums.push_back(checksum(piece(data, i)));
    CHECK_OK(file.write(piece(data, i), kPackDataOffset + i * kPieceBytes));
  }
  const std::vector<u64> header = make_header(key, model, data.size(), sums);
  CHECK_OK(file.write({reinterpret_cast<const u8*>(header.data()), header.size() * 8}, 0));
  return file.keep();
}

}  // namespace orrery::model
