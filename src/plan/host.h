// Host: the part of a machine that this process may use.
//
// Not what is built in, but what is allowed: CPUs of the affinity mask and the cpuset, the share of
// time and memory that the cgroups leave. A plain struct, so that a machine can also be imagined.
// Deliberately not here: measured speeds, GPUs, printing.
#pragma once

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/types.h"
#include "plan/cgroup.h"

namespace orrery::plan {

enum class HugePages : u8 { kNever, kMadvise, kAlways };  // transparent huge pages

struct Host {
  std::string cpu_name = "unknown";
  std::vector<u32> cpu_ids;                              // usable logical CPUs, sorted
  u32 threads = 1;                                       // how many they are
  u32 cores = 1;                                         // physical cores that they belong to
  f64 cpu_quota = std::numeric_limits<f64>::infinity();  // CPUs' worth of time
  // Threads that compute at once. One a core, because two on a core share its vector units; never
  // more than whole CPUs in the quota, because a team that meets at barriers is as slow as its
  // member that was stopped for having used up the period.
  u32 threads_best = 1;
  u64 cache_l1d_bytes = 0;            // of one core; 0: not known
  u64 cache_l2_bytes = 0;             // of one core
  u64 cache_l3_bytes = 0;             // all that the usable CPUs reach, together
  u64 memory_bytes = 0;               // of the machine
  u64 memory_available_bytes = 0;     // without swapping and within the limit
  u64 memory_limit_bytes = kNoLimit;  // of the strictest cgroup
  HugePages huge_pages = HugePages::kNever;
  std::vector<std::string> isa;  // names of the kernels' rungs that this CPU has, lowest first
};

// Where a Host is read from; the defaults are this machine.
struct HostSource {
  std::filesystem::path root = "/";  // stands before every path in /proc and /sys
  std::string topology;              // hwloc's synthetic description; empty: this machine's
};

[[nodiscard]] Result<Host> probe_host(const HostSource& source = {});

// The rule that gives Host::threads_best.
[[nodiscard]] u32 threads_best(u32 cores, f64 cpu_quota);

}  // namespace orrery::plan
