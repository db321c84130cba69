// Finds the process's groups (/proc/self/cgroup) in what is mounted (/proc/self/mountinfo) and
// walks from the leaf up. Inside a container the path of a group may be that of the machine
// outside, and the mount may begin below the root: the mount's own root is what relates the two.
#include "plan/cgroup.h"

#include <algorithm>
#include <string>

#include "plan/system_file.h"

namespace orrery::plan {
namespace {

namespace fs = std::filesystem;

// Kernels write "no limit" in v1 as the largest page-aligned i64; no machine has 2^60 bytes.
constexpr u64 kMemoryUnlimited = u64(1) << 60;

struct Mount {
  bool v2;
  std::string_view root, point, options;
};

std::vector<Mount> cgroup_mounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto left = split(line.substr(0, dash), ' ');
    const auto right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (right[0] != "cgroup" && right[0] != "cgroup2") continue;
    mounts.push_back({right[0] == "cgroup2", left[3], left[4], right[2]});
  }
  return mounts;
}

bool lists(std::string_view comma_separated, std::string_view word) {
  const auto parts = split(comma_separated, ',');
  return std::find(parts.begin(), parts.end(), word) != parts.end();
}

// The folders of a group, leaf first, up to the mount point. A group outside of what is mounted
// (another namespace's) is represented by the mount point alone.
std::vector<fs::path> folders(const fs::path& root, const Mount& mount, std::string_view group) {
  const fs::path point = root / fs::path(mount.point).relative_path();
  std::vector<fs::path> all;
  std::string_view relative;
  if (mount.root == "/")
    relative = group;
  else if (group.starts_with(mount.root))
    relative = group.substr(mount.root.size());
  if (relative.find("..") == std::string_view::npos)
    for (fs::path below = fs::path(relative).relative_path(); !below.empty();
         below = below.parent_path())
      all.push_back(point / below);
  all.push_back(point);
  return all;
}

struct Group {
  bool v2;
  std::vector<fs::path> folders;  // leaf first
};

// The groups of this process that `controller` may be found in: with v1 and v2 side by side, both.
std::vector<Group> groups_of(const fs::path& root, std::string_view controller) {
  const auto memberships = read_system_file(root / "proc/self/cgroup");
  const auto mountinfo = read_system_file(root / "proc/self/mountinfo");
  std::vector<Group> groups;
  if (!memberships || !mountinfo) return groups;
  const std::vector<Mount> mounts = cgroup_mounts(*mountinfo);
  for (const std::string_view line : split(*memberships, '\n')) {  // id:controllers:path
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = line.starts_with("0::");
    if (!v2 && !lists(controllers, controller)) continue;
    for (const Mount& mount : mounts)
      if (mount.v2 == v2 && (v2 || lists(mount.options, controller)))
        groups.push_back({v2, folders(root, mount, line.substr(second + 1))});
  }
  return groups;
}

std::optional<u64> number_in(const fs::path& path) {
  const auto text = read_system_file(path);
  return text ? parse_u64(*text) : std::nullopt;  // "max" and "-1" are no numbers: no limit
}

// CPUs' worth of time in a folder: "quota period" in v2's cpu.max, two files in v1.
std::optional<f64> cpu_quota_of(const fs::path& folder, bool v2) {
  std::optional<u64> quota, period;
  if (v2) {
    const auto text = read_system_file(folder / "cpu.max");
    if (!text) return std::nullopt;
    const auto parts = split(*text, ' ');
    quota = parse_u64(parts[0]);
    period = parts.size() > 1 ? parse_u64(parts[1]) : 100000;
  } else {
    quota = number_in(folder / "cpu.cfs_quota_us");
    period = number_in(folder / "cpu.cfs_period_us");
  }
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return f64(*quota) / f64(*period);
}

void read_memory(const fs::path& folder, bool v2, CgroupLimits& limits) {
  const auto limit = number_in(folder / (v2 ? "memory.max" : "memory.limit_in_bytes"));
  if (!limit || *limit >= kMemoryUnlimited) return;
  limits.memory_limit_bytes = std::min(limits.memory_limit_bytes, *limit);
  const u64 used =
      number_in(folder / (v2 ? "memory.current" : "memory.usage_in_bytes")).value_or(0);
  const auto stat = read_system_file(folder / "memory.stat").value_or("");
  const auto line = line_value(stat, v2 ? "inactive_file" : "total_inactive_file");
  const u64 cached = line ? parse_u64(*line).value_or(0) : 0;
  const u64 held = used - std::min(used, cached);
  limits.memory_free_bytes = std::min(limits.memory_free_bytes, *limit - std::min(*limit, held));
}

// The cpuset of the nearest folder that has one; a child's is always within its parent's.
std::optional<std::vector<u32>> cpus_of(const Group& group) {
  for (const fs::path& folder : group.folders)
    for (const char* file : {"cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"}) {
      const auto text = read_system_file(folder / file);
      if (!text) continue;
      if (auto ids = parse_cpu_list(*text); ids && !ids->empty()) return ids;
    }
  return std::nullopt;
}

}  // namespace

CgroupLimits read_cgroup_limits(const fs::path& root) {
  CgroupLimits limits;
  for (const Group& group : groups_of(root, "cpu"))
    for (const fs::path& folder : group.folders)
      if (const auto quota = cpu_quota_of(folder, group.v2))
        limits.cpu_quota = std::min(limits.cpu_quota, *quota);
  for (const Group& group : groups_of(root, "memory"))
    for (const fs::path& folder : group.folders) read_memory(folder, group.v2, limits);
  for (const Group& group : groups_of(root, "cpuset"))
    if (!limits.cpus) limits.cpus = cpus_of(group);
  return limits;
}

}  // namespace orrery::plan
