#include "engine/packs.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/new_file.h"

namespace orrery::engine {
namespace {

namespace fs = std::filesystem;

// How long a program that is asked to end may go on writing a pack.
constexpr auto kPatience = std::chrono::seconds(3);

// Removes what was not used for longest until `wanted` more bytes fit.
Result<void> make_room(const PackOptions& options, u64 wanted) {
  std::error_code code;
  const fs::space_info space = fs::space(options.folder, code);
  if (code) return fail("{}: {}", options.folder.string(), code.message());
  std::vector<PackEntry> packs = list_packs(options.folder);
  u64 used = 0;
  for (const PackEntry& pack : packs) used += pack.bytes;
  const u64 most = std::min<u64>(options.folder_bytes_max, (space.available + used) / 4);
  if (wanted > most)
    return fail("{}: a pack of {} MiB is more than the {} MiB that packs may take there",
                options.folder.string(), wanted >> 20, most >> 20);
  while (used + wanted > most && !packs.empty()) {
    fs::remove(packs.back().path, code);
    used -= packs.back().bytes;
    packs.pop_back();
  }
  return {};
}

}  // namespace

std::vector<PackEntry> list_packs(const fs::path& folder) {
  std::vector<PackEntry> packs;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::error_code gone;
    PackEntry pack{it->path(), it->file_size(gone), it->last_write_time(gone)};
    if (!gone && it->path().extension() == ".pack") packs.push_back(std::move(pack));
  }
  std::sort(packs.begin(), packs.end(),
            [](const PackEntry& a, const PackEntry& b) { return a.used > b.used; });
  return packs;
}

Packs::~Packs() {
  if (!writer_.joinable()) return;
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!done_ && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  stop_ = true;
  writer_.join();
}

MappedFile Packs::find(const model::PackKey& key, u64 bytes, const ParallelFor& parallel) {
  const fs::path path = options_.folder / model::pack_name(key);
  std::error_code ignored;
  if (!wanted(bytes) || !fs::exists(path, ignored)) return {};
  auto pack = model::open_pack(path, key, bytes, parallel);
  if (!pack) {
    fs::remove(path, ignored);
    return {};
  }
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  return std::move(*pack);
}

void Packs::keep(const model::PackKey& key, std::string model, Bytes data) {
  if (!wanted(data.size()) || writer_.joinable()) return;
  done_ = false;
  writer_ = std::thread([this, key, name = std::move(model), data] {
    ::setpriority(PRIO_PROCESS, id_t(::gettid()), 19);  // of this thread only
    outcome_ = write(key, name, data);
    done_ = true;
  });
}

Result<void> Packs::write(const model::PackKey& key, const std::string& model, Bytes data) {
  std::error_code code;
  fs::create_directories(options_.folder, code);
  if (code) return fail("{}: {}", options_.folder.string(), code.message());
  remove_abandoned(options_.folder);
  CHECK_OK(make_room(options_, model::pack_file_bytes(data.size())));
  return model::write_pack(options_.folder / model::pack_name(key), key, model, data, stop_);
}

Result<void> Packs::finish() {
  if (writer_.joinable()) writer_.join();
  return outcome_;
}

}  // namespace orrery::engine
