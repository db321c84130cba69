// Packs: the folder of packed weights (model/pack_file.h): what is found there, what is kept in it,
// and how large it may grow.
//
// A pack is written after loading, by a thread of low priority that nobody waits for until the
// engine goes; then it may finish for some seconds. The folder never takes more than a share of the
// disk: what was not used for longest goes first. Nothing here is an error for those who only want
// to run a model.
#pragma once

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "model/pack_file.h"

namespace orrery::engine {

struct PackOptions {
  std::filesystem::path folder;          // empty: no packs
  u64 bytes_min = u64(256) << 20;        // smaller models pack in no time
  u64 folder_bytes_max = u64(64) << 30;  // and never more than a quarter of what the disk has left
};

struct PackEntry {
  std::filesystem::path path;
  u64 bytes = 0;
  std::filesystem::file_time_type used;  // when it was written or last mapped
};
// The packs of a folder, the last used first.
[[nodiscard]] std::vector<PackEntry> list_packs(const std::filesystem::path& folder);

class Packs {
 public:
  Packs() = default;
  explicit Packs(PackOptions options) : options_(std::move(options)) {}
  Packs(const Packs&) = delete;
  Packs& operator=(const Packs&) = delete;
  // Lets a pack that is being written finish for kPatience, then leaves off.
  ~Packs();

  // The checked pack of these weights, or an empty file: none, or not worth it. A damaged one is
  // removed.
  [[nodiscard]] MappedFile find(const model::PackKey& key, u64 bytes, const ParallelFor& parallel);
  // Starts to write one. `data` must live until this object is gone.
  void keep(const model::PackKey& key, std::string model, Bytes data);

  // How it went with keep(), for `orrery cache` and tests; waits for the end.
  [[nodiscard]] Result<void> finish();

 private:
  [[nodiscard]] bool wanted(u64 bytes) const {
    return !options_.folder.empty() && bytes >= options_.bytes_min;
  }
  [[nodiscard]] Result<void> write(const model::PackKey& key, const std::string& model, Bytes data);

  PackOptions options_;
  std::thread writer_;
  std::atomic<bool> stop_{false}, done_{true};
  Result<void> outcome_;
};

}  // namespace orrery::engine
