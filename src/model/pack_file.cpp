#include "model/pack_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

namespace orrery::model {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'O', 'R', 'R', 'P', 'A', 'C', 'K', '1'};
constexpr u64 kPackDataOffset = u64(2) << 20;  // a huge page
constexpr u64 kPieceBytes = u64(4) << 20;      // checked and written at a time
constexpr u64 kNameBytes = 256;
constexpr u64 kHeaderWords = 8 + kNameBytes / 8;

// Four independent chains of multiply and add, so that checking keeps up with memory. It finds
// accidents, not attacks: what weights say is no danger to the program.
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

u64 checksum(Bytes bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.value();
}

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

// A file that is being written; gone again unless it is kept.
class NewFile {
 public:
  explicit NewFile(fs::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    if (fd_ >= 0 && !kept_) ::unlink(path_.c_str());
  }
  Result<void> opened() const {
    if (fd_ < 0) return fail("{}: {}", path_.string(), std::strerror(errno));
    return {};
  }
  Result<void> write(Bytes bytes, u64 offset) const {
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), off_t(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return fail("{}: {}", path_.string(), std::strerror(errno));
      bytes = bytes.subspan(u64(done));
      offset += u64(done);
    }
    return {};
  }
  Result<void> keep_as(const fs::path& place) {
    if (::rename(path_.c_str(), place.c_str()) != 0)
      return fail("{}: {}", place.string(), std::strerror(errno));
    kept_ = true;
    return {};
  }

 private:
  fs::path path_;
  int fd_ = -1;
  bool kept_ = false;
};

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
  fs::path part = path;
  part += fmt::format(".{}.part", ::getpid());
  NewFile file(part);
  CHECK_OK(file.opened());
  std::vector<u64> sums;
  for (u64 i = 0; i < pieces_of(data.size()); ++i) {
    if (stop) return fail("{}: left off", path.string());
    sums.push_back(checksum(piece(data, i)));
    CHECK_OK(file.write(piece(data, i), kPackDataOffset + i * kPieceBytes));
  }
  const std::vector<u64> header = make_header(key, model, data.size(), sums);
  CHECK_OK(file.write({reinterpret_cast<const u8*>(header.data()), header.size() * 8}, 0));
  return file.keep_as(path);
}

}  // namespace orrery::model
