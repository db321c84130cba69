#include "hub/fetch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "hub/digest.h"

namespace orrery::hub {
namespace {

namespace fs = std::filesystem;

// blobs/HASH.incomplete, open at its end, with the hash of what is in it.
class Partial {
 public:
  Partial(fs::path path, const Blob& blob, Progress& progress)
      : path_(std::move(path)), blob_(blob), progress_(progress), digest_(blob.key, blob.size) {}

  [[nodiscard]] Result<void> open(const std::function<bool()>& stopped) {
    std::error_code code;
    if (fs::is_symlink(path_, code)) remove();  // never write to where a link leads
    // Without O_NONBLOCK a pipe of this name would let us wait for ever.
    const int how = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    file_ = Descriptor(::open(path_.c_str(), how, 0666));
    struct stat status{};
    if (!file_ || ::fstat(file_.get(), &status) != 0) return failed();
    const u64 size = u64(std::max<off_t>(status.st_size, 0));
    if (!S_ISREG(status.st_mode)) return fail("{}: not a regular file", path_.string());
    if (size > blob_.size) return clear();
    TRY(size_, add_file(digest_, path_, size, [&](u64) -> Result<void> {
          if (stopped()) return fail("stopped");
          return {};
        }));
    told_ = size_;
    if (::lseek(file_.get(), off_t(size_), SEEK_SET) < 0) return failed();
    return {};
  }

  [[nodiscard]] u64 size() const { return size_; }
  [[nodiscard]] bool whole() const { return size_ == blob_.size; }

  [[nodiscard]] Result<void> clear() {
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) < 0) return failed();
    size_ = 0;
    digest_ = Digest(blob_.key, blob_.size);
    return {};
  }

  [[nodiscard]] Result<void> append(Bytes bytes) {
    digest_.add(bytes);
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(file_.get(), bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return failed();
      bytes = bytes.subspan(std::size_t(wrote));
      size_ += u64(wrote);
    }
    if (size_ > told_) progress_.advance(size_ - told_);  // bytes that come again count once
    told_ = std::max(told_, size_);
    return {};
  }

  [[nodiscard]] bool hash_is_right() { return digest_.hex() == blob_.key; }

  [[nodiscard]] Result<void> become(const fs::path& blob) {
    std::error_code code;
    fs::rename(path_, blob, code);
    if (code) return fail("cannot make {}: {}", blob.string(), code.message());
    return {};
  }
  void remove() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  // The server contradicts itself about the size: what came cannot be trusted either.
  void condemn() { condemned_ = true; }
  [[nodiscard]] bool condemned() const { return condemned_; }

 private:
  [[nodiscard]] tl::unexpected<Error> failed() const {
    const int reason = errno;
    const bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
    return fail("cannot write {}: {}{}", path_.string(), std::strerror(reason),
                full ? "; free some space, then the same command goes on from here" : "");
  }

  const fs::path path_;
  const Blob& blob_;
  Progress& progress_;
  Digest digest_;
  Descriptor file_{-1};
  u64 size_ = 0, told_ = 0;
  bool condemned_ = false;
};

struct Range {
  u64 begin = 0;
  std::optional<u64> total;
};

// "bytes 100-199/200" or "bytes 100-199/*".
std::optional<Range> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const auto take = [&](char end) -> std::optional<u64> {
    const auto at = end ? text.find(end) : text.size();
    if (at == text.npos) return std::nullopt;
    u64 value = 0;
    const auto [stop, code] = std::from_chars(text.data(), text.data() + at, value);
    if (code != std::errc() || stop != text.data() + at) return std::nullopt;
    text.remove_prefix(end ? at + 1 : at);
    return value;
  };
  const auto begin = take('-'), last = take('/');
  if (!begin || !last || *last < *begin) return std::nullopt;
  if (text == "*") return Range{*begin, std::nullopt};
  const auto total = take('\0');
  if (!total) return std::nullopt;
  return Range{*begin, total};
}

// The first bytes of a reply: do they belong where we are?
Result<void> begin_reply(const HttpReply& reply, const Blob& blob, Partial& partial) {
  const auto other_size = [&](u64 bytes) {
    partial.condemn();
    return fail("{} has {} bytes at the server, which announced {}", shown(blob.file), bytes,
                blob.size);
  };
  if (reply.status == 200) {  // the whole, also where we asked for the rest
    if (reply.content_length && *reply.content_length != blob.size)
      return other_size(*reply.content_length);
    return partial.size() > 0 ? partial.clear() : Result<void>();
  }
  const auto range = parse_content_range(reply.content_range);
  if (!range || range->begin != partial.size())
    return fail("the server sent another part of {} than the one asked for: {}", shown(blob.file),
                shown(reply.content_range));
  if (range->total && *range->total != blob.size) return other_size(*range->total);
  return {};
}

// Transfers until the file has its size, however often the connection breaks within reason.
Result<void> transfer(HttpClient& http, const Blob& blob, Partial& partial, bool has_token) {
  constexpr u64 kGoodStep = u64(8) << 20;  // so much came that a broken connection is forgiven
  u32 failures = 0;
  while (!partial.whole()) {
    const u64 before = partial.size();
    bool first = true;
    const auto sink = [&](const HttpReply& reply, Bytes bytes) -> Result<void> {
      if (first) CHECK_OK(begin_reply(reply, blob, partial));
      first = false;
      if (bytes.size() > blob.size - partial.size()) {
        partial.condemn();
        return fail("the server sends more than the {} bytes of {} that it announced", blob.size,
                    shown(blob.file));
      }
      return partial.append(bytes);
    };
    TRY(const HttpReply reply, http.get({blob.url, before, 0}, sink));
    if (partial.whole()) break;
    if (reply.status == 416 && before > 0) {
      CHECK_OK(partial.clear());
    } else if (!reply.ok() && !is_passing(reply)) {
      return tl::unexpected<Error>(status_error(reply, shown(blob.file), has_token));
    }
    if (partial.size() > before && partial.size() - before >= kGoodStep) failures = 0;
    if (++failures == kTriesMax) {
      if (!reply.ok() && reply.broken.empty())
        return tl::unexpected<Error>(status_error(reply, shown(blob.file), has_token));
      return fail(
          "{} was cut off after {} of {} bytes, {} times{}{}; the same command goes on "
          "from here",
          shown(blob.file), partial.size(), blob.size, failures, reply.broken.empty() ? "" : ": ",
          reply.broken);
    }
    wait_before_retry(failures, reply, http.stopped());
  }
  return {};
}

}  // namespace

bool is_passing(const HttpReply& reply) {
  return !reply.broken.empty() || reply.status == 408 || reply.status == 429 ||
         (reply.status >= 500 && reply.status < 600);
}

Error status_error(const HttpReply& reply, const std::string& what, bool has_token) {
  if (!reply.broken.empty()) return {fmt::format("{}: {}", what, reply.broken)};
  if (reply.error_code == "GatedRepo")
    return {fmt::format("{} is gated: accept its licence on its page at the hub, and {}", what,
                        has_token ? "use a token of the account that did (HF_TOKEN)"
                                  : "set a token of that account in HF_TOKEN")};
  switch (reply.status) {
    case 401:
      return {has_token
                  ? fmt::format("{}: the hub refuses the token (401), or there is no such model: "
                                "check HF_TOKEN and the name",
                                what)
                  : fmt::format("{} does not exist, or is private or gated (401): check the name, "
                                "or set a token in HF_TOKEN",
                                what)};
    case 403:
      return {fmt::format("{}: the hub refuses access (403): {}", what,
                          has_token ? "the token has no right to it"
                                    : "if it is gated, accept its licence and set HF_TOKEN")};
    case 404:
      if (reply.error_code == "RevisionNotFound")
        return {fmt::format("{} has no such revision (404)", what)};
      return {fmt::format("{} does not exist at the hub (404): check the name", what)};
    case 429:
      return {
          fmt::format("{}: the hub gets too many requests (429): wait, then go on with the "
                      "same command",
                      what)};
    default:
      if (reply.status >= 500)
        return {fmt::format("{}: the hub has a problem ({}): try again later", what, reply.status)};
      return {fmt::format("{}: the hub answered with status {}", what, reply.status)};
  }
}

void wait_before_retry(u32 failures, const HttpReply& reply, const std::function<bool()>& stopped) {
  using namespace std::chrono;
  constexpr u64 kAskedSecondsMax = 30;
  auto pause = milliseconds(125) * (1 << std::min(failures, 6u));
  if (reply.retry_after_seconds)
    pause = std::max<milliseconds>(pause,
                                   seconds(std::min(*reply.retry_after_seconds, kAskedSecondsMax)));
  const auto end = steady_clock::now() + pause;
  while (steady_clock::now() < end && !stopped()) std::this_thread::sleep_for(milliseconds(25));
}

Result<bool> has_blob(const RepoCache& cache, const Blob& blob,
                      const std::function<Result<void>(u64)>& on_bytes) {
  const fs::path path = cache.blob(blob.key);
  std::error_code code;
  if (!fs::is_regular_file(path, code) || fs::file_size(path, code) != blob.size || code)
    return false;
  Digest digest(blob.key, blob.size);
  TRY(const u64 size, add_file(digest, path, blob.size, on_bytes));
  return size == blob.size && digest.hex() == blob.key;
}

u64 incomplete_bytes(const RepoCache& cache, const Blob& blob) {
  std::error_code code;
  const u64 size = fs::file_size(cache.incomplete(blob.key), code);
  return code || size > blob.size ? 0 : size;
}

Result<void> fetch_blob(HttpClient& http, const RepoCache& cache, const Blob& blob, bool has_token,
                        Progress& progress) {
  TRY(const Descriptor held, cache.lock(blob.key, http.stopped()));
  // Another process may have brought it while we waited.
  TRY(const bool there, has_blob(cache, blob, [](u64) { return Result<void>(); }));
  if (there) return {};
  Partial partial(cache.incomplete(blob.key), blob, progress);
  CHECK_OK(partial.open(http.stopped()));
  for (bool fresh = partial.size() == 0;; fresh = true) {
    const Result<void> done = transfer(http, blob, partial, has_token);
    if (partial.condemned()) partial.remove();
    CHECK_OK(done);
    if (partial.hash_is_right()) return partial.become(cache.blob(blob.key));
    if (fresh) {
      partial.remove();
      return fail(
          "the bytes of {} do not have the hash that the hub announced: removed; pull "
          "again, or ask who runs the hub",
          shown(blob.file));
    }
    CHECK_OK(partial.clear());  // what an earlier run left may have been anything
  }
}

}  // namespace orrery::hub
