#include "hub/pull.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "hub/choice.h"
#include "hub/fetch.h"
#include "hub/http.h"
#include "hub/listing.h"
#include "hub/repo_cache.h"

namespace orrery::hub {
namespace {

namespace fs = std::filesystem;

constexpr u32 kWorkers = 4;  // more connections than that no hub likes

// The reply's text, however often the connection breaks within reason.
Result<std::string> get_text(HttpClient& http, const std::string& url, u64 bytes_max,
                             const std::string& what, bool has_token) {
  constexpr u32 kSecondsMax = 120;
  for (u32 failures = 1;; ++failures) {
    std::string text;
    const auto sink = [&](const HttpReply&, Bytes bytes) -> Result<void> {
      if (bytes.size() > bytes_max - text.size())
        return fail("the hub's answer has more than {} bytes", bytes_max);
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return {};
    };
    TRY(const HttpReply reply, http.get({url, 0, kSecondsMax}, sink));
    if (reply.status == 200 && reply.broken.empty()) return text;
    if (!is_passing(reply) || failures == kTriesMax)
      return tl::unexpected<Error>(status_error(reply, what, has_token));
    wait_before_retry(failures, reply, http.stopped());
  }
}

// An ETag as the hub writes it: W/"hash" or "hash".
std::string key_in(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

class Pull {
 public:
  Pull(const Settings& settings, const ModelName& model, Progress& progress)
      : settings_(settings),
        model_(model),
        revision_(model.revision.empty() ? "main" : model.revision),
        progress_(progress),
        cache_(settings.folder, model),
        http_(settings, [this] { return stopped(); }) {}

  [[nodiscard]] Result<Pulled> run() {
    CHECK_OK(list());
    CHECK_OK(choose());
    CHECK_OK(complete_listing());
    CHECK_OK(cache_.make_folders());
    CHECK_OK(find_missing());
    CHECK_OK(check_space());
    const Result<void> fetched = fetch_all();
    progress_.end();
    CHECK_OK(fetched);
    for (const RemoteFile& file : files_)
      CHECK_OK(cache_.link(listing_.commit, file.path, file.key));
    if (revision_ != listing_.commit) CHECK_OK(cache_.set_ref(revision_, listing_.commit));
    pulled_.path = cache_.snapshot(listing_.commit);
    if (choice_.gguf) pulled_.path /= choice_.files.front();
    return std::move(pulled_);
  }

 private:
  [[nodiscard]] bool stopped() const { return failed_ || progress_.cancelled(); }
  [[nodiscard]] bool has_token() const { return !settings_.token.empty(); }

  Result<void> list() {
    const std::string what =
        revision_ == "main" ? model_.id() : fmt::format("{} at {}", model_.id(), revision_);
    TRY(const std::string text,
        get_text(http_,
                 fmt::format("{}/api/models/{}/revision/{}?blobs=true", settings_.endpoint,
                             model_.id(), escaped(revision_, false)),
                 kListingBytesMax, what, has_token()));
    auto listing = parse_listing(text);
    if (!listing) return at("the hub's listing of " + model_.id(), listing.error());
    if (is_commit(revision_) && listing->commit != revision_)
      return fail("the hub lists commit {} of {}, but {} was asked for", listing->commit,
                  model_.id(), revision_);
    listing_ = std::move(*listing);
    pulled_.commit = listing_.commit;
    return {};
  }

  Result<void> choose() {
    std::vector<std::string> paths;
    for (const RemoteFile& file : listing_.files) paths.push_back(file.path);
    auto choice = choose_files(paths, model_.quant);
    if (!choice) return at(model_.id(), choice.error());
    choice_ = std::move(*choice);
    for (const std::string& path : choice_.files)
      files_.push_back(*std::ranges::lower_bound(listing_.files, path, {}, &RemoteFile::path));
    pulled_.quant = choice_.quant;
    pulled_.others = choice_.others;
    pulled_.by_default = choice_.by_default;
    return {};
  }

  std::string url_of(const RemoteFile& file) const {
    return fmt::format("{}/{}/resolve/{}/{}", settings_.endpoint, model_.id(), listing_.commit,
                       escaped(file.path, true));
  }

  // Asks for what a plainer hub's listing leaves open.
  Result<void> complete_listing() {
    u64 total = 0;
    for (RemoteFile& file : files_) {
      if (file.key.empty() || !file.size_known) CHECK_OK(ask_about(file));
      const auto sum = checked_add(total, file.size);
      if (file.size > kFileBytesMax || !sum)
        return fail("{} has {} bytes, the hub says", shown(file.path), file.size);
      total = *sum;
    }
    pulled_.files = files_.size();
    pulled_.bytes = total;
    return {};
  }

  Result<void> ask_about(RemoteFile& file) {
    for (u32 failures = 1;; ++failures) {
      TRY(const HttpReply reply, http_.head(url_of(file)));
      if (reply.broken.empty() && reply.status >= 200 && reply.status < 400) {
        if (!reply.commit.empty() && reply.commit != listing_.commit)
          return fail("the hub gives {} of commit {}, but {} was asked for", shown(file.path),
                      shown(reply.commit), listing_.commit);
        const std::string key = key_in(reply.linked_etag.empty() ? reply.etag : reply.linked_etag);
        if (!is_blob_key(key))
          return fail("the hub gives no checksum of {}: its ETag is {}", shown(file.path),
                      shown(key));
        const auto size =
            reply.linked_size || reply.status >= 300 ? reply.linked_size : reply.content_length;
        if (!size) return fail("the hub does not say how large {} is", shown(file.path));
        file.key = key;
        file.size = *size;
        return {};
      }
      if (!is_passing(reply) || failures == kTriesMax)
        return tl::unexpected<Error>(status_error(reply, shown(file.path), has_token()));
      wait_before_retry(failures, reply, http_.stopped());
    }
  }

  // Sorts out what is there already; files with the same bytes are one blob.
  Result<void> find_missing() {
    std::map<std::string, const RemoteFile*> blobs;
    for (const RemoteFile& file : files_) {
      const auto [it, added] = blobs.emplace(file.key, &file);
      if (!added && it->second->size != file.size)
        return fail("{} and {} have one hash, but two sizes", shown(it->second->path),
                    shown(file.path));
    }
    u64 there = 0;
    std::error_code code;
    for (const auto& [key, file] : blobs)
      if (fs::exists(cache_.blob(key), code)) there += file->size;
    if (there > 0) progress_.begin("checking", there, "bytes");
    const auto on_bytes = [this](u64 bytes) -> Result<void> {
      progress_.advance(bytes);
      if (stopped()) return fail("stopped");
      return {};
    };
    for (const auto& [key, file] : blobs) {
      Blob blob{key, file->size, url_of(*file), file->path};
      TRY(const bool has, has_blob(cache_, blob, on_bytes));
      if (has) {
        std::error_code ignored;  // the beginning that a killed run of another tool left
        fs::remove(cache_.incomplete(key), ignored);
      } else {
        missing_.push_back(std::move(blob));
      }
    }
    progress_.end();
    u64 new_files = 0;
    for (const RemoteFile& file : files_)
      new_files += std::ranges::any_of(missing_, [&](const Blob& b) { return b.key == file.key; });
    pulled_.files_kept = files_.size() - new_files;
    // The largest first: then the connections end at nearly the same time.
    std::ranges::sort(missing_, std::greater(), &Blob::size);
    for (const Blob& blob : missing_)
      pulled_.bytes_fetched += blob.size - incomplete_bytes(cache_, blob);
    return {};
  }

  Result<void> check_space() const {
    std::error_code code;
    const fs::space_info space = fs::space(settings_.folder, code);
    if (!code && space.available < pulled_.bytes_fetched)
      return fail("{} needs {} MB more, but in {} only {} MB are free", model_.id(),
                  pulled_.bytes_fetched / 1'000'000, settings_.folder.string(),
                  space.available / 1'000'000);
    return {};
  }

  Result<void> fetch_all() {
    progress_.begin(model_.name, pulled_.bytes_fetched, "bytes");
    std::vector<std::thread> workers;
    const std::size_t count = std::min<std::size_t>(kWorkers, missing_.size());
    try {
      for (std::size_t i = 0; i < count; ++i) workers.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      if (workers.empty()) work();  // no thread to be had: then this one
    }
    for (std::thread& worker : workers) worker.join();
    if (error_) return tl::unexpected<Error>(*error_);
    return {};
  }

  // A worker's life: the next blob that nobody has taken, until there is none or one failed.
  void work() {
    HttpClient http(settings_, [this] { return stopped(); });
    for (std::size_t i = next_++; i < missing_.size() && !failed_; i = next_++) {
      const Result<void> done = fetch_blob(http, cache_, missing_[i], has_token(), progress_);
      if (done) continue;
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = Error{fmt::format("{}: {}", model_.id(), done.error().message)};
      failed_ = true;
    }
  }

  const Settings& settings_;
  const ModelName& model_;
  const std::string revision_;
  Progress& progress_;
  const RepoCache cache_;
  HttpClient http_;
  Listing listing_;
  Choice choice_;
  std::vector<RemoteFile> files_;  // of the choice
  std::vector<Blob> missing_;
  Pulled pulled_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // over error_
  std::optional<Error> error_;
};

}  // namespace

Result<Pulled> pull(const Settings& settings, const ModelName& model, Progress& progress) {
  return Pull(settings, model, progress).run();
}

}  // namespace orrery::hub
