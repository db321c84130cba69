// The one place where `plan` asks `kernels` which instruction sets this CPU has.
#pragma once

#include <string>
#include <vector>

namespace orrery::plan {

// The names of the rungs, lowest first: "scalar", "avx2", ...
[[nodiscard]] std::vector<std::string> isa_names();

}  // namespace orrery::plan
