#include "hub/repo_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/mapped_file.h"
#include "hub/choice.h"

namespace orrery::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "models--", kBetween = "--";

// Whether `path` is `folder` or in it, both free of links.
bool is_inside(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

std::vector<std::string> folders_in(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(path, code), end; !code && it != end; it.increment(code))
    if (std::error_code ignored; it->is_directory(ignored))
      names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// The files of a snapshot that can be read (a link may have lost its blob), relative to it.
std::vector<std::string> files_in(const fs::path& snapshot) {
  constexpr std::size_t kFilesMax = 100'000;
  std::vector<std::string> paths;
  std::error_code code;
  for (fs::recursive_directory_iterator it(snapshot, code), end; !code && it != end;
       it.increment(code)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) paths.push_back(it->path().lexically_relative(snapshot));
    if (paths.size() == kFilesMax) break;
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

RepoCache::RepoCache(const fs::path& hub_folder, const ModelName& model) : hub_folder_(hub_folder) {
  const std::string name = fmt::format("{}{}{}{}", kPrefix, model.org, kBetween, model.name);
  root_ = hub_folder / name;
  locks_ = hub_folder / ".locks" / name;
}

fs::path RepoCache::blob(const std::string& key) const { return root_ / "blobs" / key; }
fs::path RepoCache::incomplete(const std::string& key) const {
  return root_ / "blobs" / (key + ".incomplete");
}
fs::path RepoCache::snapshot(const std::string& commit) const {
  return root_ / "snapshots" / commit;
}

Result<void> RepoCache::make_folder(const fs::path& path) const {
  std::error_code code;
  fs::create_directories(hub_folder_, code);
  const fs::path real_root = code ? fs::path() : fs::canonical(hub_folder_, code);
  const fs::path real = code ? fs::path() : fs::weakly_canonical(path, code);
  if (!code && !is_inside(real, real_root))
    return fail("{} leads out of the cache, to {}: remove that link", path.string(), real.string());
  if (!code) fs::create_directories(path, code);
  if (code) return fail("cannot make the folder {}: {}", path.string(), code.message());
  return {};
}

Result<void> RepoCache::make_folders() const {
  for (const char* folder : {"blobs", "snapshots", "refs"}) CHECK_OK(make_folder(root_ / folder));
  return make_folder(locks_);
}

Result<Descriptor> RepoCache::lock(const std::string& key,
                                   const std::function<bool()>& stopped) const {
  constexpr auto kLookEvery = std::chrono::milliseconds(100);
  const fs::path path = locks_ / (key + ".lock");
  for (;;) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file) return fail("{}: {}", path.string(), std::strerror(errno));
    const bool locked = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK && errno != EINTR)
      return fail("{}: cannot be locked: {}", path.string(), std::strerror(errno));
    // Other tools may remove the file when they are done; a lock on a removed file holds nothing.
    struct stat status{};
    if (locked && ::fstat(file.get(), &status) == 0 && status.st_nlink > 0) return file;
    if (stopped()) return fail("stopped while another process fetched the same file");
    std::this_thread::sleep_for(kLookEvery);
  }
}

Result<void> RepoCache::link(const std::string& commit, const std::string& file,
                             const std::string& key) const {
  const fs::path path = snapshot(commit) / file;
  fs::path target = "../../blobs";
  for (const char c : file)
    if (c == '/') target = ".." / target;
  target /= key;
  CHECK_OK(make_folder(path.parent_path()));
  std::error_code code;
  if (fs::read_symlink(path, code) == target && !code) return {};
  fs::remove(path, code);
  fs::create_symlink(target, path, code);
  if (code) return fail("cannot make the link {}: {}", path.string(), code.message());
  return {};
}

Result<void> RepoCache::set_ref(const std::string& revision, const std::string& commit) const {
  const fs::path path = root_ / "refs" / revision;
  CHECK_OK(make_folder(path.parent_path()));
  // Written aside and renamed: a ref is the old one or the new one, never half of it.
  const fs::path aside = locks_ / ("ref-" + commit);
  {
    const Descriptor file(
        ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file || ::write(file.get(), commit.data(), commit.size()) != ssize_t(commit.size()))
      return fail("cannot write {}: {}", aside.string(), std::strerror(errno));
  }
  std::error_code code;
  fs::rename(aside, path, code);
  if (code) return fail("cannot write {}: {}", path.string(), code.message());
  return {};
}

std::optional<fs::path> RepoCache::resolve(const std::string& revision) const {
  constexpr u64 kRefBytesMax = 100;
  const auto text = read_text_file(root_ / "refs" / revision, kRefBytesMax);
  std::error_code code;
  if (text && is_commit(*text) && fs::is_directory(snapshot(*text), code)) return snapshot(*text);
  return std::nullopt;
}

Result<fs::path> RepoCache::find_snapshot(const std::string& revision) const {
  std::error_code code;
  if (is_commit(revision) && fs::is_directory(snapshot(revision), code)) return snapshot(revision);
  if (const auto found = resolve(revision.empty() ? "main" : revision)) return *found;
  const std::vector<std::string> all = folders_in(root_ / "snapshots");
  if (!revision.empty())
    return fail("{} has no revision {}; pulled were {}", root_.string(), shown(revision),
                all.empty() ? "none" : listed(all, 8));
  if (all.size() == 1) return root_ / "snapshots" / all.front();
  if (all.empty()) return fail("{} has no snapshot: pull it again", root_.string());
  return fail("{} has {} snapshots and no refs/main says which: name one after an @",
              root_.string(), all.size());
}

std::vector<std::string> cached_models(const fs::path& hub_folder) {
  std::vector<std::string> models;
  std::error_code ignored;
  for (const std::string& folder : folders_in(hub_folder)) {
    if (!folder.starts_with(kPrefix)) continue;
    const auto between = folder.find(kBetween, kPrefix.size());
    if (between == folder.npos) continue;
    const std::string name =
        fmt::format("{}/{}", folder.substr(kPrefix.size(), between - kPrefix.size()),
                    folder.substr(between + kBetween.size()));
    if (parse_model_name(name) && !folders_in(hub_folder / folder / "snapshots").empty())
      models.push_back(name);
  }
  return models;
}

Result<fs::path> find_cached_model(const fs::path& hub_folder, const ModelName& model) {
  TRY(const fs::path snapshot, RepoCache(hub_folder, model).find_snapshot(model.revision));
  const std::vector<std::string> files = files_in(snapshot);
  const Result<Choice> choice = choose_files(files, model.quant);
  if (!choice) return fail("{} in the cache: {}", model.id(), choice.error().message);
  return choice->gguf ? snapshot / choice->files.front() : snapshot;
}

}  // namespace orrery::hub
