// Listing: a revision's commit and files, from the JSON that the hub's API gives.
//
// Read as events, so that nothing is built before it is counted; every name, hash and size in a
// Listing has been checked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::hub {

struct RemoteFile {
  std::string path;  // is_safe_path
  std::string key;   // is_blob_key, or empty: the listing does not say
  u64 size = 0;
  bool size_known = false;
};

struct Listing {
  std::string commit;
  std::vector<RemoteFile> files;  // in order of their paths, each once
};

inline constexpr u64 kListingBytesMax = u64(32) << 20;
inline constexpr u64 kFileBytesMax = u64(1) << 50;

[[nodiscard]] Result<Listing> parse_listing(std::string_view json);

}  // namespace orrery::hub
