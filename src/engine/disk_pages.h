// DiskPages: cached pages in a folder, so that prompts that begin alike need not be computed again
// after their pages were given up, or after a restart.
//
// One file a page, called by its name (PageStore); docs/formats/page_file.md. A thread of low
// priority reads into pages and writes copies, so that no step waits for a disk; what comes faster
// than it can be written is not kept. The folder never grows beyond its limit: what was not used
// for longest goes first, whichever model it is of. What is read is hostile until checked, and a
// damaged file is removed. Files are readable by their owner only: they hold what people wrote.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "engine/page_store.h"

namespace orrery::engine {

struct DiskPageOptions {
  std::filesystem::path folder;         // empty: none
  u64 bytes_max = u64(8) << 30;         // and never more than a quarter of what the disk has left
  u64 queue_bytes_max = u64(64) << 20;  // of copies that wait to be written
};

struct DiskPageStats {
  u64 pages = 0, bytes = 0;                            // in the folder
  u64 read = 0, written = 0, damaged = 0, failed = 0;  // pages; failed: could not be written
};

class DiskPages final : public PageStore {
 public:
  // Where the engine keeps a page; all are of one size.
  using Memory = std::function<std::span<u8>(u32 page)>;

  // An error when there is no such folder to be had or nobody may write to it.
  [[nodiscard]] static Result<std::unique_ptr<DiskPages>> open(const DiskPageOptions& options,
                                                               std::string identity, Memory memory);
  // Finishes the file that is being written; the rest of the queue is given up.
  ~DiskPages() override;

  [[nodiscard]] const std::string& identity() const override { return identity_; }
  [[nodiscard]] bool has(const PageName& name) const override;
  void offer(const PageName& name, u32 page) override;

  // Reads files into pages that belong to nobody else until `done` is called, on the store's
  // thread, with how many of the first are good.
  using Done = std::function<void(u32 good)>;
  void read(std::vector<PageName> names, std::vector<u32> pages, Done done);
  // Writes a page at once, on the caller's thread. False: it cannot be kept.
  [[nodiscard]] bool write(const PageName& name, u32 page);

  [[nodiscard]] DiskPageStats stats() const;

 private:
  struct Reading {
    std::vector<PageName> names;
    std::vector<u32> pages;
    Done done;
  };
  struct Writing {
    PageName name;
    std::vector<u8> bytes;
  };
  struct Entry {
    std::list<PageName>::iterator place;  // in used_
    u64 bytes = 0;
  };
  struct NameHash {
    u64 operator()(const PageName& name) const;
  };

  DiskPages(const DiskPageOptions& options, std::string identity, Memory memory);
  [[nodiscard]] Result<void> list_folder();
  [[nodiscard]] std::filesystem::path path_of(const PageName& name) const;
  void main();
  [[nodiscard]] bool read_page(const PageName& name, std::span<u8> to);
  [[nodiscard]] bool write_page(const PageName& name, Bytes bytes);
  void note(const PageName& name, u64 bytes);  // as the last used
  void forget(const PageName& name);
  void make_room(u64 bytes);

  DiskPageOptions options_;
  std::string identity_;
  Memory memory_;
  // Shared.
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::unordered_map<PageName, Entry, NameHash> known_;
  std::list<PageName> used_;  // the last used first
  std::deque<Reading> reading_;
  std::deque<Writing> writing_;
  u64 queued_bytes_ = 0;
  DiskPageStats stats_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace orrery::engine
