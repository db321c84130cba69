// Tests of Host against trees of files as kernels, containers and schedulers leave them, and
// against this machine.
#include "plan/host.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "plan/system_file.h"

namespace orrery::plan {
namespace {

namespace fs = std::filesystem;

constexpr f64 kNoQuota = std::numeric_limits<f64>::infinity();
// Two packages of four cores with two threads each: 32 MiB of L3 a package.
constexpr const char* kSixteen =
    "pack:2 l3:1(size=33554432) l2:4(size=524288) l1d:1(size=32768) core:1 pu:2";

// A machine made of files, removed with the object.
class FakeRoot {
 public:
  FakeRoot() {
    std::string pattern = (fs::temp_directory_path() / "orrery_host_XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    file("proc/meminfo", "MemTotal:       32000000 kB\nMemFree: 1 kB\nMemAvailable: 16000000 kB\n");
    file("proc/cpuinfo", "processor\t: 0\nmodel\t\t: 1\nmodel name\t: Imagined CPU 3000\n\n");
    file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  }
  ~FakeRoot() { fs::remove_all(root_); }

  FakeRoot& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
    return *this;
  }
  FakeRoot& v2(const std::string& group, const std::string& mount_root = "/") {
    file("proc/self/cgroup", "0::" + group + "\n");
    return file("proc/self/mountinfo",
                "24 30 0:22 / /proc rw - proc proc rw\n"
                "30 23 0:26 " +
                    mount_root + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  FakeRoot& v1(const std::string& group, const std::string& mount_root = "/") {
    file("proc/self/cgroup", "5:cpu,cpuacct:" + group + "\n4:memory:" + group +
                                 "\n3:cpuset:" + group + "\n1:name=systemd:/\n");
    const std::string begin = "33 32 0:2 " + mount_root + " /sys/fs/cgroup/";
    return file("proc/self/mountinfo", begin + "cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
                                           begin + "memory rw - cgroup cgroup rw,memory\n" + begin +
                                           "cpuset rw - cgroup cgroup rw,cpuset\n");
  }
  [[nodiscard]] Host probe() const {
    const auto host = probe_host({root_, kSixteen});
    EXPECT_TRUE(host) << host.error().message;
    return host.value_or(Host());
  }
  [[nodiscard]] const fs::path& path() const { return root_; }

 private:
  fs::path root_;
};

TEST(SystemFile, CpuListsAreReadStrictly) {
  EXPECT_EQ(parse_cpu_list("0-3,8,10-11\n"), (std::vector<u32>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("5,1,1-2"), (std::vector<u32>{1, 2, 5}));
  EXPECT_EQ(parse_cpu_list("\n"), std::vector<u32>());
  for (const char* bad : {"3-1", "a", "0-", "0-4294967295", "99999999999999999999", "1,,2"})
    EXPECT_EQ(parse_cpu_list(bad), std::nullopt) << bad;
}

TEST(Host, WithoutLimitsTheWholeMachineIsOurs) {
  const Host host = FakeRoot().probe();
  EXPECT_EQ(host.cpu_name, "Imagined CPU 3000");
  EXPECT_EQ(host.threads, 16u);
  EXPECT_EQ(host.cores, 8u);
  EXPECT_EQ(host.threads_best, 8u);
  EXPECT_EQ(host.cpu_quota, kNoQuota);
  EXPECT_EQ(host.cache_l1d_bytes, 32768u);
  EXPECT_EQ(host.cache_l2_bytes, 524288u);
  EXPECT_EQ(host.cache_l3_bytes, u64(64) << 20);
  EXPECT_EQ(host.memory_bytes, u64(32000000) * 1024);
  EXPECT_EQ(host.memory_available_bytes, u64(16000000) * 1024);
  EXPECT_EQ(host.memory_limit_bytes, kNoLimit);
  EXPECT_EQ(host.huge_pages, HugePages::kMadvise);
}

TEST(Host, V2QuotaMemoryAndCpusetBind) {
  FakeRoot root;
  root.v2("/app.slice/job")
      .file("sys/fs/cgroup/app.slice/job/cpu.max", "150000 100000\n")
      .file("sys/fs/cgroup/app.slice/job/memory.max", "4294967296\n")
      .file("sys/fs/cgroup/app.slice/job/memory.current", "3000000000\n")
      .file("sys/fs/cgroup/app.slice/job/memory.stat", "anon 5\ninactive_file 1000000000\n")
      .file("sys/fs/cgroup/app.slice/job/cpuset.cpus.effective", "2-5\n");
  const Host host = root.probe();
  EXPECT_DOUBLE_EQ(host.cpu_quota, 1.5);
  EXPECT_EQ(host.threads_best, 1u);
  EXPECT_EQ(host.cpu_ids, (std::vector<u32>{2, 3, 4, 5}));
  EXPECT_EQ(host.cores, 2u);
  EXPECT_EQ(host.cache_l3_bytes, u64(32) << 20);  // one package only
  EXPECT_EQ(host.memory_limit_bytes, u64(1) << 32);
  EXPECT_EQ(host.memory_available_bytes, (u64(1) << 32) - 2000000000);
}

TEST(Host, V2MaxIsNoLimitAndAnAncestorsLimitBinds) {
  FakeRoot root;
  root.v2("/a/b/c")
      .file("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n")
      .file("sys/fs/cgroup/a/b/c/memory.max", "max\n")
      .file("sys/fs/cgroup/a/b/cpu.max", "300000 50000\n")
      .file("sys/fs/cgroup/a/cpu.max", "800000 100000\n")
      .file("sys/fs/cgroup/a/memory.max", "2000000000\n")
      .file("sys/fs/cgroup/a/b/memory.max", "9000000000\n")
      .file("sys/fs/cgroup/memory.max", "9500000000\n")
      .file("sys/fs/cgroup/cpuset.cpus.effective", "0-15\n");
  const Host host = root.probe();
  EXPECT_DOUBLE_EQ(host.cpu_quota, 6.0);
  EXPECT_EQ(host.threads_best, 6u);
  EXPECT_EQ(host.memory_limit_bytes, 2000000000u);
  EXPECT_EQ(host.threads, 16u);

  FakeRoot free;
  free.v2("/")
      .file("sys/fs/cgroup/cpu.max", "max 100000\n")
      .file("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(free.probe().cpu_quota, kNoQuota);
  EXPECT_EQ(free.probe().memory_limit_bytes, kNoLimit);
}

TEST(Host, AContainersMountBeginsBelowTheRootOfTheMachinesTree) {
  FakeRoot root;  // the group's path is the outer one, the mount shows its inside
  root.v2("/docker/abc/inner", "/docker/abc")
      .file("sys/fs/cgroup/cpu.max", "200000 100000\n")
      .file("sys/fs/cgroup/inner/memory.max", "1073741824\n");
  EXPECT_DOUBLE_EQ(root.probe().cpu_quota, 2.0);
  EXPECT_EQ(root.probe().memory_limit_bytes, u64(1) << 30);

  FakeRoot outside;  // a namespace whose root is elsewhere
  outside.v2("/../../other").file("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(outside.probe().cpu_quota, 0.5);
  EXPECT_EQ(outside.probe().threads_best, 1u);
}

TEST(Host, V1LimitsOfEveryControllerBind) {
  FakeRoot root;
  root.v1("/lxc/box")
      .file("sys/fs/cgroup/cpu,cpuacct/lxc/box/cpu.cfs_quota_us", "250000\n")
      .file("sys/fs/cgroup/cpu,cpuacct/lxc/box/cpu.cfs_period_us", "100000\n")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
      .file("sys/fs/cgroup/memory/lxc/box/memory.limit_in_bytes", "9223372036854771712\n")
      .file("sys/fs/cgroup/memory/lxc/memory.limit_in_bytes", "8000000000\n")
      .file("sys/fs/cgroup/memory/lxc/memory.usage_in_bytes", "7000000000\n")
      .file("sys/fs/cgroup/memory/lxc/memory.stat",
            "inactive_file 1\ntotal_inactive_file 4000000000\n")
      .file("sys/fs/cgroup/cpuset/lxc/box/cpuset.cpus", "0-3,8\n");
  const Host host = root.probe();
  EXPECT_DOUBLE_EQ(host.cpu_quota, 2.5);
  EXPECT_EQ(host.threads_best, 2u);
  EXPECT_EQ(host.cpu_ids, (std::vector<u32>{0, 1, 2, 3, 8}));
  EXPECT_EQ(host.cores, 3u);
  EXPECT_EQ(host.memory_limit_bytes, 8000000000u);
  EXPECT_EQ(host.memory_available_bytes, 5000000000u);
}

TEST(Host, V1WithoutLimits) {
  FakeRoot root;
  root.v1("/")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
      .file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
      .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(root.probe().cpu_quota, kNoQuota);
  EXPECT_EQ(root.probe().memory_limit_bytes, kNoLimit);
}

TEST(Host, TheAffinityMaskAndTheCpusetBothBind) {
  FakeRoot root;
  root.v2("/").file("sys/fs/cgroup/cpuset.cpus.effective", "0-7\n");
  root.file("proc/self/status", "Name:\tx\nCpus_allowed:\tfff0\nCpus_allowed_list:\t4-15\n");
  EXPECT_EQ(root.probe().cpu_ids, (std::vector<u32>{4, 5, 6, 7}));
  EXPECT_EQ(root.probe().cores, 2u);
  root.file("proc/self/status", "Cpus_allowed_list:\t12-15\n");
  EXPECT_FALSE(probe_host({root.path(), kSixteen}));  // nothing is left: an error, no guess
}

TEST(Host, MalformedFilesAreNoLimitsAndNoCrash) {
  FakeRoot root;
  root.v2("/x")
      .file("sys/fs/cgroup/x/cpu.max", "150000 0\n")
      .file("sys/fs/cgroup/x/memory.max", "99999999999999999999999\n")
      .file("sys/fs/cgroup/x/cpuset.cpus.effective", "7-2,zzz\n")
      .file("proc/meminfo", "MemTotal: 99999999999999999999 kB\n")
      .file("proc/cpuinfo", "")
      .file("sys/kernel/mm/transparent_hugepage/enabled", "");
  const Host host = root.probe();
  EXPECT_EQ(host.cpu_quota, kNoQuota);
  EXPECT_EQ(host.memory_limit_bytes, kNoLimit);
  EXPECT_EQ(host.threads, 16u);
  EXPECT_EQ(host.cpu_name, "unknown");
  EXPECT_EQ(host.huge_pages, HugePages::kNever);
  EXPECT_FALSE(probe_host({root.path(), "no topology"}));
}

TEST(Host, ThreadsBestIsWholeCpusOfTheQuotaAndAtMostTheCores) {
  EXPECT_EQ(threads_best(8, kNoQuota), 8u);
  EXPECT_EQ(threads_best(8, 3.99), 3u);
  EXPECT_EQ(threads_best(2, 100.0), 2u);
  EXPECT_EQ(threads_best(4, 0.1), 1u);
}

TEST(Host, ThisMachine) {
  const auto host = probe_host();
  ASSERT_TRUE(host) << host.error().message;
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  ASSERT_FALSE(host->cpu_ids.empty());
  for (const u32 id : host->cpu_ids) EXPECT_TRUE(CPU_ISSET(id, &mask)) << id;
  EXPECT_EQ(host->threads, host->cpu_ids.size());
  EXPECT_GE(host->cores, 1u);
  EXPECT_LE(host->cores, host->threads);
  EXPECT_GE(host->threads_best, 1u);
  EXPECT_LE(host->threads_best, host->cores);
  EXPECT_GT(host->cpu_quota, 0.0);
  EXPECT_GT(host->memory_bytes, u64(64) << 20);
  EXPECT_LE(host->memory_available_bytes, host->memory_bytes);
  ASSERT_FALSE(host->isa.empty());
  EXPECT_EQ(host->isa.front(), "scalar");
}

}  // namespace
}  // namespace orrery::plan
