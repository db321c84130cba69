// The rungs of this CPU, by the names that the kernels give them.
#include "plan/isa.h"

#include "kernels/kernels.h"

namespace orrery::plan {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (u32 i = 0; i < kernels::kIsaCount; ++i)
    if (const auto isa = kernels::Isa(i); kernels::cpu_has(isa)) names.emplace_back(name(isa));
  return names;
}

}  // namespace orrery::plan
