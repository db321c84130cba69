#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace orrery {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail("{}: {}", path.string(), std::strerror(errno));
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return fail("{}: not a regular file", path.string());
  }
  MappedFile file;
  file.size_ = std::size_t(status.st_size);
  if (file.size_ > 0) {
    void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      const int reason = errno;
      ::close(fd);
      file.size_ = 0;
      return fail("{}: cannot be mapped: {}", path.string(), std::strerror(reason));
    }
    file.data_ = static_cast<const u8*>(data);
  }
  ::close(fd);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<u8*>(data_), size_);
}

void MappedFile::drop(Bytes part) const {
  const auto page = std::uintptr_t(::sysconf(_SC_PAGESIZE));
  const auto begin = round_up(std::uintptr_t(part.data()), page);
  const auto end = std::uintptr_t(part.data() + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Result<std::string> read_text_file(const std::filesystem::path& path, u64 bytes_max) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return fail("{}: no such file", path.string());
  const u64 size = std::filesystem::file_size(path, code);
  if (code) return fail("{}: {}", path.string(), code.message());
  if (size > bytes_max)
    return fail("{}: {} bytes, more than the {} that are allowed for such a file", path.string(),
                size, bytes_max);
  std::string text(size, '\0');
  std::ifstream stream(path, std::ios::binary);
  if (!stream.read(text.data(), std::streamsize(size)))
    return fail("{}: cannot be read", path.string());
  return text;
}

}  // namespace orrery
