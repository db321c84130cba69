// Probes: what this machine can do at most right now. A speed without its probe taken beside it
// says little on shared machines, so `orrery bench` and kernels_bench print both.
#pragma once

#include "base/thread_team.h"
#include "kernels/kernels.h"

namespace orrery::kernels {

// Bytes a second that the team reads from `bytes` of huge-page memory, one stream a member; the
// best of a plain stream and one that prefetches 1 KiB ahead. An error when the memory cannot be
// had.
[[nodiscard]] Result<f64> read_bandwidth(ThreadTeam& team, u64 bytes);

// int8 operations a second (a multiplication and an addition are two) of the rung's dot product of
// bytes with everything in registers; 0 for scalar. The CPU must have the rung.
[[nodiscard]] f64 int8_peak(ThreadTeam& team, Isa isa);

}  // namespace orrery::kernels
