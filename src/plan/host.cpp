// Probing a Host: hwloc for the shape of the machine, /proc and /sys for what may be used of it.
#include "plan/host.h"

#include <hwloc.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>

#include "plan/isa.h"
#include "plan/system_file.h"

namespace orrery::plan {
namespace {

namespace fs = std::filesystem;

using Topology = std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)>;

// All CPUs of the machine, also those that are not ours: the mask is applied by us, once.
Result<Topology> load_topology(const std::string& synthetic) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return fail("hwloc cannot describe this machine");
  Topology topology(raw, &hwloc_topology_destroy);
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  if (!synthetic.empty() && hwloc_topology_set_synthetic(raw, synthetic.c_str()) != 0)
    return fail("'{}' is no topology that hwloc understands", synthetic);
  if (hwloc_topology_load(raw) != 0) return fail("hwloc cannot read this machine's topology");
  return topology;
}

bool holds(const std::vector<u32>& sorted, u32 id) {
  return std::binary_search(sorted.begin(), sorted.end(), id);
}

std::vector<u32> common(const std::vector<u32>& a, const std::vector<u32>& b) {
  std::vector<u32> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

// The CPUs in the affinity mask, in the cpuset and in the topology. Where those share none (a
// sandbox that shows another machine's /sys), what the kernel schedules us on counts.
std::vector<u32> usable_cpus(hwloc_topology_t topology, const fs::path& root,
                             const std::optional<std::vector<u32>>& cpuset) {
  std::vector<u32> present;
  for (hwloc_obj_t pu = nullptr; (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu));)
    present.push_back(pu->os_index);
  std::sort(present.begin(), present.end());
  const std::string status = read_system_file(root / "proc/self/status").value_or("");
  const auto list = line_value(status, "Cpus_allowed_list");
  const auto affinity = list ? parse_cpu_list(*list) : std::nullopt;
  const std::vector<u32> allowed = common(affinity.value_or(present), cpuset.value_or(present));
  const std::vector<u32> usable = common(allowed, present);
  return usable.empty() ? allowed : usable;
}

hwloc_obj_t cache_above(hwloc_obj_t pu, unsigned depth) {
  for (hwloc_obj_t object = pu; object; object = object->parent)
    if (hwloc_obj_type_is_dcache(object->type) && object->attr->cache.depth == depth) return object;
  return nullptr;
}

// Cores and caches that the usable CPUs belong to, each counted once.
void read_topology(hwloc_topology_t topology, Host& host) {
  std::vector<hwloc_obj_t> cores, l3;
  for (hwloc_obj_t pu = nullptr; (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu));) {
    if (!holds(host.cpu_ids, pu->os_index)) continue;
    const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
    cores.push_back(core ? core : pu);
    if (const hwloc_obj_t cache = cache_above(pu, 3)) l3.push_back(cache);
    const hwloc_obj_t l1d = cache_above(pu, 1), l2 = cache_above(pu, 2);
    if (l1d && !host.cache_l1d_bytes) host.cache_l1d_bytes = l1d->attr->cache.size;
    if (l2 && !host.cache_l2_bytes) host.cache_l2_bytes = l2->attr->cache.size;
  }
  for (auto* objects : {&cores, &l3}) {
    std::sort(objects->begin(), objects->end());
    objects->erase(std::unique(objects->begin(), objects->end()), objects->end());
  }
  for (const hwloc_obj_t cache : l3) host.cache_l3_bytes += cache->attr->cache.size;
  host.threads = u32(host.cpu_ids.size());
  host.cores = cores.empty() ? host.threads : u32(cores.size());
}

std::string read_cpu_name(hwloc_topology_t topology, const fs::path& root) {
  // The first CPU's paragraph is enough; a big machine's file has hundreds of kilobytes.
  if (const auto text = read_system_file(root / "proc/cpuinfo", 16384))
    if (const auto name = line_value(*text, "model name"); name && !name->empty())
      return std::string(*name);
  const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
  const char* name = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : nullptr;
  return name ? name : "unknown";
}

std::optional<u64> meminfo_bytes(std::string_view meminfo, std::string_view key) {
  const auto value = line_value(meminfo, key);
  const auto kib = value ? parse_u64(*value) : std::nullopt;
  return kib ? checked_mul(*kib, 1024) : std::nullopt;
}

void read_memory(hwloc_topology_t topology, const fs::path& root, Host& host) {
  const std::string meminfo = read_system_file(root / "proc/meminfo").value_or("");
  const u64 fallback = hwloc_get_root_obj(topology)->total_memory;
  host.memory_bytes = meminfo_bytes(meminfo, "MemTotal").value_or(fallback);
  host.memory_available_bytes = meminfo_bytes(meminfo, "MemAvailable").value_or(host.memory_bytes);
}

HugePages read_huge_pages(const fs::path& root) {
  const auto text = read_system_file(root / "sys/kernel/mm/transparent_hugepage/enabled");
  if (text && text->find("[always]") != std::string::npos) return HugePages::kAlways;
  if (text && text->find("[madvise]") != std::string::npos) return HugePages::kMadvise;
  return HugePages::kNever;
}

}  // namespace

u32 threads_best(u32 cores, f64 cpu_quota) {
  const f64 whole = std::floor(std::min(cpu_quota, f64(cores)));
  return std::max(1u, u32(std::max(whole, 1.0)));
}

Result<Host> probe_host(const HostSource& source) {
  TRY(const Topology topology, load_topology(source.topology));
  const CgroupLimits limits = read_cgroup_limits(source.root);
  Host host;
  host.cpu_ids = usable_cpus(topology.get(), source.root, limits.cpus);
  if (host.cpu_ids.empty())
    return fail("no CPU is both in the affinity mask and in the cpuset of this process");
  read_topology(topology.get(), host);
  host.cpu_name = read_cpu_name(topology.get(), source.root);
  host.cpu_quota = limits.cpu_quota;
  host.threads_best = threads_best(host.cores, host.cpu_quota);
  read_memory(topology.get(), source.root, host);
  host.memory_limit_bytes = limits.memory_limit_bytes;
  host.memory_available_bytes = std::min(host.memory_available_bytes, limits.memory_free_bytes);
  host.huge_pages = read_huge_pages(source.root);
  host.isa = isa_names();
  return host;
}

}  // namespace orrery::plan
