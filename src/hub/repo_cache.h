// RepoCache: one repository's folder in the cache that Hugging Face tools share.
//
//   models--ORG--NAME/blobs/HASH               the bytes, named by their checksum
//   models--ORG--NAME/blobs/HASH.incomplete    the beginning of them
//   models--ORG--NAME/snapshots/COMMIT/FILE    a relative link to a blob
//   models--ORG--NAME/refs/REVISION            the commit that a branch or tag stood for
//   .locks/models--ORG--NAME/HASH.lock         held while a blob is fetched, by any of the tools
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "hub/descriptor.h"
#include "hub/names.h"

namespace orrery::hub {

class RepoCache {
 public:
  RepoCache(const std::filesystem::path& hub_folder, const ModelName& model);

  // Every argument below must have been checked: is_blob_key, is_commit, is_safe_path.
  [[nodiscard]] std::filesystem::path blob(const std::string& key) const;
  [[nodiscard]] std::filesystem::path incomplete(const std::string& key) const;
  [[nodiscard]] std::filesystem::path snapshot(const std::string& commit) const;

  [[nodiscard]] Result<void> make_folders() const;
  // Waits while another process fetches this blob; `stopped` ends the wait with an error.
  [[nodiscard]] Result<Descriptor> lock(const std::string& key,
                                        const std::function<bool()>& stopped) const;
  // snapshots/COMMIT/FILE leads to the blob afterwards, whatever stood there.
  [[nodiscard]] Result<void> link(const std::string& commit, const std::string& file,
                                  const std::string& key) const;
  [[nodiscard]] Result<void> set_ref(const std::string& revision, const std::string& commit) const;

  // Without a network: the snapshot of this revision; with none named that of refs/main, or the
  // only one that there is.
  [[nodiscard]] Result<std::filesystem::path> find_snapshot(const std::string& revision) const;

 private:
  // The folder is there afterwards, and inside the hub's: a link in its path that leads elsewhere
  // is an error, for what would be written there is outside the cache.
  [[nodiscard]] Result<void> make_folder(const std::filesystem::path& path) const;
  // The snapshot that refs/REVISION stands for.
  [[nodiscard]] std::optional<std::filesystem::path> resolve(const std::string& revision) const;

  std::filesystem::path hub_folder_, root_, locks_;
};

// ORG/NAME of every repository in the cache that has a snapshot, in order.
[[nodiscard]] std::vector<std::string> cached_models(const std::filesystem::path& hub_folder);

// The path of a model in the cache, ready to be opened: a folder with safetensors, or a .gguf file
// (of a split one the first part).
[[nodiscard]] Result<std::filesystem::path> find_cached_model(
    const std::filesystem::path& hub_folder, const ModelName& model);

}  // namespace orrery::hub
