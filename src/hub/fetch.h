// fetch_blob: brings one file's bytes into the cache, from where an earlier run left off.
//
// Bytes go to blobs/HASH.incomplete and are hashed on the way. They get the blob's name only when
// size and hash are right; what is wrong is removed, what was merely cut stays for the next run.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/progress.h"
#include "base/types.h"
#include "hub/http.h"
#include "hub/repo_cache.h"

namespace orrery::hub {

struct Blob {
  std::string key;  // is_blob_key
  u64 size = 0;
  std::string url;
  std::string file;  // what the user knows it as
};

// What the hub says with this status, as a sentence about `what` ("ORG/NAME", "a file of it").
[[nodiscard]] Error status_error(const HttpReply& reply, const std::string& what, bool has_token);
// Worth another try: the connection broke, too many requests, or a problem of the server.
[[nodiscard]] bool is_passing(const HttpReply& reply);
// Sleeps before try number `failures` + 1, as long as the server asked for, within reason.
void wait_before_retry(u32 failures, const HttpReply& reply, const std::function<bool()>& stopped);
inline constexpr u32 kTriesMax = 5;

// Whether the blob is there with the right size and hash. `on_bytes` as in add_file().
[[nodiscard]] Result<bool> has_blob(const RepoCache& cache, const Blob& blob,
                                    const std::function<Result<void>(u64)>& on_bytes);
// Bytes of it that an earlier run brought, not yet checked.
[[nodiscard]] u64 incomplete_bytes(const RepoCache& cache, const Blob& blob);

[[nodiscard]] Result<void> fetch_blob(HttpClient& http, const RepoCache& cache, const Blob& blob,
                                      bool has_token, Progress& progress);

}  // namespace orrery::hub
