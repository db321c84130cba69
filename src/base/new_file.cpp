#include "base/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace orrery {

namespace fs = std::filesystem;

NewFile::NewFile(fs::path place) : place_(std::move(place)), part_(place_) {
  static std::atomic<u64> count{0};
  part_ += fmt::format(".{}-{}.part", ::getpid(), ++count);
  fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

NewFile::~NewFile() {
  if (fd_ >= 0) ::close(fd_);
  if (fd_ >= 0 && !kept_) ::unlink(part_.c_str());
}

Result<void> NewFile::opened() const {
  if (fd_ < 0) return fail("{}: {}", part_.string(), std::strerror(errno));
  return {};
}

Result<void> NewFile::write(Bytes bytes, u64 offset) const {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), off_t(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return fail("{}: {}", part_.string(), std::strerror(errno));
    bytes = bytes.subspan(u64(done));
    offset += u64(done);
  }
  return {};
}

Result<void> NewFile::keep() {
  if (::rename(part_.c_str(), place_.c_str()) != 0)
    return fail("{}: {}", place_.string(), std::strerror(errno));
  kept_ = true;
  return {};
}

void remove_abandoned(const fs::path& folder) {
  std::error_code code;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::error_code gone;
    if (it->path().extension() == ".part" && it->last_write_time(gone) < old && !gone)
      fs::remove(it->path(), gone);
  }
}

}  // namespace orrery
