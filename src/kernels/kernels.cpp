// resolve(): scalar first, then every rung that the CPU has, up to the ceiling.
#include "kernels/kernels.h"

#include <cstdlib>

#include "kernels/attention_sizes.h"
#include "kernels/rungs.h"

namespace orrery::kernels {
namespace {

// Runs one rung's install() and notes which matmul slots it filled.
void climb(Isa isa, void (*install)(Kernels&), Kernels& kernels) {
  const Kernels before = kernels;
  install(kernels);
  kernels.isa = isa;
  for (u32 i = 0; i < kLayoutCount; ++i)
    if (kernels.matmul[i] != before.matmul[i]) kernels.matmul_isa[i] = isa;
}

Result<Isa> ceiling_named(std::string_view wanted) {
  std::string known;
  for (u32 i = 0; i < kIsaCount; ++i) {
    const Isa isa = Isa(i);
    if (wanted == name(isa)) {
      if (!cpu_has(isa)) return fail("this CPU does not have the instruction set '{}'", wanted);
      return isa;
    }
    if (cpu_has(isa)) known += fmt::format("{}{}", known.empty() ? "" : ", ", name(isa));
  }
  return fail("unknown instruction set '{}'; this CPU has: {}", wanted, known);
}

}  // namespace

Result<Kernels> resolve(std::string_view ceiling) {
  Isa highest = Isa(kIsaCount - 1);
  if (!ceiling.empty()) {
    TRY(highest, ceiling_named(ceiling));
  }
  Kernels kernels;
  for (const Rung& rung : kRungs)
    if (rung.isa <= highest && cpu_has(rung.isa)) climb(rung.isa, rung.install, kernels);
  return kernels;
}

Result<Kernels> resolve_from_environment() {
  const char* ceiling = std::getenv("ORRERY_ISA");
  auto kernels = resolve(ceiling ? ceiling : "");
  if (!kernels) return at("ORRERY_ISA", kernels.error());
  return kernels;
}

u64 attention_scratch_floats(u32 value_dim) {
  return u64(kQueryGroups) * kQueryTileMax * (kScoreStride + value_sum_stride(value_dim));
}

}  // namespace orrery::kernels
