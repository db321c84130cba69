// What the control groups of Linux (cgroup v1, v2 and both at once) allow this process.
//
// A limit anywhere between the process's group and the root of what is mounted binds, so every
// level is read and the strictest wins. Kernel documentation: admin-guide/cgroup-v2 and cgroup-v1.
// Deliberately not here: the affinity mask and the machine itself (host.h).
#pragma once

#include <filesystem>
#include <limits>
#include <optional>
#include <vector>

#include "base/types.h"

namespace orrery::plan {

inline constexpr u64 kNoLimit = ~u64(0);

struct CgroupLimits {
  f64 cpu_quota = std::numeric_limits<f64>::infinity();  // CPUs' worth of time
  u64 memory_limit_bytes = kNoLimit;
  u64 memory_free_bytes = kNoLimit;      // what can still be taken, dropping cached file pages
  std::optional<std::vector<u32>> cpus;  // sorted; nothing: no cpuset
};

// `root` stands before every path, "/" on a real machine.
[[nodiscard]] CgroupLimits read_cgroup_limits(const std::filesystem::path& root);

}  // namespace orrery::plan
