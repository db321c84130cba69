#include "engine/disk_pages.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/checksum.h"
#include "base/new_file.h"

namespace orrery::engine {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'O', 'R', 'R', 'P', 'A', 'G', 'E', '1'};
constexpr u64 kHeaderBytes = 4096;
constexpr std::string_view kSuffix = ".page";
constexpr u64 kFilesMax = 1'000'000;  // of a folder that are looked at

struct Header {
  char magic[8];
  PageName name;
  u64 bytes, sum;
};

std::string hex(const PageName& name) {
  std::string text;
  for (const u8 byte : name) text += fmt::format("{:02x}", byte);
  return text;
}

std::optional<PageName> name_of(const fs::path& path) {
  const std::string stem = path.stem().string();
  if (path.extension() != kSuffix || stem.size() != 2 * PageName().size()) return std::nullopt;
  PageName name;
  for (u64 i = 0; i < stem.size(); ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto digit = kDigits.find(stem[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    name[i / 2] = u8(name[i / 2] << 4 | digit);
  }
  return name;
}

bool read_whole(int fd, std::span<u8> to, u64 offset) {
  while (!to.empty()) {
    const ssize_t got = ::pread(fd, to.data(), to.size(), off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to = to.subspan(u64(got));
    offset += u64(got);
  }
  return true;
}

// The page's bytes in `to`, and whether they are what the name promises.
bool read_checked(int fd, const PageName& name, std::span<u8> to) {
  struct stat state{};
  Header header;
  if (::fstat(fd, &state) != 0 || !S_ISREG(state.st_mode)) return false;
  if (u64(state.st_size) != kHeaderBytes + to.size()) return false;
  if (!read_whole(fd, {reinterpret_cast<u8*>(&header), sizeof header}, 0)) return false;
  return std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 && header.name == name &&
         header.bytes == to.size() && read_whole(fd, to, kHeaderBytes) &&
         checksum(to) == header.sum;
}

}  // namespace

u64 DiskPages::NameHash::operator()(const PageName& name) const {
  u64 hash = 0;  // a name is a hash already
  std::memcpy(&hash, name.data(), sizeof hash);
  return hash;
}

DiskPages::DiskPages(const DiskPageOptions& options, std::string identity, Memory memory)
    : options_(options), identity_(std::move(identity)), memory_(std::move(memory)) {}

Result<std::unique_ptr<DiskPages>> DiskPages::open(const DiskPageOptions& options,
                                                   std::string identity, Memory memory) {
  std::unique_ptr<DiskPages> pages(new DiskPages(options, std::move(identity), std::move(memory)));
  const fs::path& folder = options.folder;
  std::error_code code;
  if (fs::create_directories(folder, code)) fs::permissions(folder, fs::perms::owner_all, code);
  if (code) return fail("the cache folder {}: {}", folder.string(), code.message());
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
    return fail("the cache folder {}: {}", folder.string(), std::strerror(errno));
  remove_abandoned(folder);
  CHECK_OK(pages->list_folder());
  pages->thread_ = std::thread([p = pages.get()] { p->main(); });
  return pages;
}

DiskPages::~DiskPages() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  thread_.join();
}

Result<void> DiskPages::list_folder() {
  struct Found {
    PageName name;
    u64 bytes;
    fs::file_time_type used;
  };
  std::vector<Found> found;
  std::error_code code;
  for (fs::directory_iterator it(options_.folder, code), end; !code && it != end;
       it.increment(code)) {
    const auto name = name_of(it->path());
    std::error_code gone;
    if (!name || !it->is_regular_file(gone) || found.size() == kFilesMax) continue;
    const Found one{*name, it->file_size(gone), it->last_write_time(gone)};
    if (!gone) found.push_back(one);
  }
  if (code) return fail("the cache folder {}: {}", options_.folder.string(), code.message());
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.used < b.used; });
  for (const Found& one : found) note(one.name, one.bytes);
  const fs::space_info space = fs::space(options_.folder, code);
  if (!code)
    options_.bytes_max = std::min<u64>(options_.bytes_max, (space.available + stats_.bytes) / 4);
  make_room(0);
  return {};
}

fs::path DiskPages::path_of(const PageName& name) const {
  return options_.folder / (hex(name) + std::string(kSuffix));
}

bool DiskPages::has(const PageName& name) const {
  const std::lock_guard lock(mutex_);
  return known_.contains(name);
}

void DiskPages::offer(const PageName& name, u32 page) {
  const std::span<u8> bytes = memory_(page);
  const std::lock_guard lock(mutex_);
  if (known_.contains(name) || queued_bytes_ + bytes.size() > options_.queue_bytes_max) return;
  const auto same = [&](const Writing& one) { return one.name == name; };
  if (std::any_of(writing_.begin(), writing_.end(), same)) return;
  writing_.push_back({name, {bytes.begin(), bytes.end()}});
  queued_bytes_ += bytes.size();
  work_.notify_one();
}

void DiskPages::read(std::vector<PageName> names, std::vector<u32> pages, Done done) {
  const std::lock_guard lock(mutex_);
  reading_.push_back({std::move(names), std::move(pages), std::move(done)});
  work_.notify_one();
}

bool DiskPages::write(const PageName& name, u32 page) {
  return has(name) || write_page(name, memory_(page));
}

DiskPageStats DiskPages::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

// Somebody waits for what is read; for what is written nobody does.
void DiskPages::main() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stopping_ || !reading_.empty() || !writing_.empty(); });
    if (stopping_) return;
    if (!reading_.empty()) {
      const Reading job = std::move(reading_.front());
      reading_.pop_front();
      lock.unlock();
      u32 good = 0;
      while (good < job.names.size() && read_page(job.names[good], memory_(job.pages[good])))
        ++good;
      job.done(good);
      lock.lock();
      continue;
    }
    const Writing job = std::move(writing_.front());
    writing_.pop_front();
    lock.unlock();
    (void)write_page(job.name, job.bytes);
    lock.lock();
    queued_bytes_ -= job.bytes.size();
  }
}

bool DiskPages::read_page(const PageName& name, std::span<u8> to) {
  const fs::path path = path_of(name);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  const bool good = fd >= 0 && read_checked(fd, name, to);
  if (good) ::futimens(fd, nullptr);  // used now, for whoever lists the folder next
  if (fd >= 0) ::close(fd);
  if (fd >= 0 && !good) ::unlink(path.c_str());
  const std::lock_guard lock(mutex_);
  if (good) {
    note(name, kHeaderBytes + to.size());
    ++stats_.read;
  } else {
    forget(name);
    stats_.damaged += fd >= 0;
  }
  return good;
}

bool DiskPages::write_page(const PageName& name, Bytes bytes) {
  std::vector<u8> head(kHeaderBytes);
  Header header{.magic = {}, .name = name, .bytes = bytes.size(), .sum = checksum(bytes)};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::memcpy(head.data(), &header, sizeof header);
  const u64 whole = kHeaderBytes + bytes.size();
  {
    const std::lock_guard lock(mutex_);
    if (whole > options_.bytes_max) return false;
    make_room(whole);
  }
  NewFile file(path_of(name));
  const bool good =
      file.opened() && file.write(head, 0) && file.write(bytes, kHeaderBytes) && file.keep();
  const std::lock_guard lock(mutex_);
  if (good) note(name, whole);
  ++(good ? stats_.written : stats_.failed);
  return good;
}

void DiskPages::note(const PageName& name, u64 bytes) {
  forget(name);
  used_.push_front(name);
  known_.emplace(name, Entry{used_.begin(), bytes});
  stats_.bytes += bytes;
  ++stats_.pages;
}

void DiskPages::forget(const PageName& name) {
  const auto found = known_.find(name);
  if (found == known_.end()) return;
  stats_.bytes -= found->second.bytes;
  --stats_.pages;
  used_.erase(found->second.place);
  known_.erase(found);
}

void DiskPages::make_room(u64 bytes) {
  while (!used_.empty() && stats_.bytes + bytes > options_.bytes_max) {
    const PageName last = used_.back();
    ::unlink(path_of(last).c_str());
    forget(last);
  }
}

}  // namespace orrery::engine
