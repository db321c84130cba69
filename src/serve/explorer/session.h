// Session: what one holder of a capability sees: its runs, its channels, its feed.
//
// What stands under "engine's thread" is touched by that thread alone; the rest has a lock or is
// atomic.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "engine/watched_run.h"
#include "serve/explorer/feed.h"

namespace orrery::serve {

inline constexpr u32 kSessionsMax = 16, kStreamsMax = 4;
inline constexpr u32 kRunsMax = 64;     // of a session, also those that have ended
inline constexpr u32 kRunsInCache = 4;  // of all sessions
// Sequences of the engine that the Explorer needs beside those of requests: its runs, and two for
// what is tried on copies.
inline constexpr u32 kExplorerSequences = kRunsInCache + 2;
inline constexpr u32 kPinnedMax = 8, kBinsMin = 256, kBinsMax = 4096;

struct SessionRun {
  std::unique_ptr<engine::WatchedRun> run;
  u64 order = 0;                        // among the runs of all sessions
  std::optional<u32> parent, position;  // of a branch
  Json sampler;                         // its settings, as they are told
  engine::RunState told = engine::RunState::kQueued;
  u32 told_computed = 0;
  std::string told_finish;
};

struct Session {
  explicit Session(Bell& bell) : feed(bell) {}
  std::string id;
  Feed feed;
  std::atomic<bool> closed = false;  // its streams end
  std::atomic<u32> streams = 0, thin = 0;
  std::atomic<f64> left_at = 0;  // when its last stream ended, in seconds of the steady clock

  std::mutex mutex;
  u32 on = 0;  // channels
  u32 bins = kBinsMax;
  std::vector<engine::HeadRef> pinned;
  Json kv_snapshot = nullptr;      // for streams that begin
  std::map<u32, Json> run_status;  // the last frame of channel `run` of each

  // Engine's thread.
  std::map<u32, SessionRun> runs;
  u32 last_run = 0;
};

}  // namespace orrery::serve
