// Models, shapes and kernels in words and tables, for `inspect` and `compare`.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/kernels.h"
#include "model/spec.h"
#include "plan/host.h"

namespace orrery::apps {

// Equal layers that follow each other become one line: "30 x attention of 9 heads …".
[[nodiscard]] std::vector<std::string> folded_layers(const model::ModelSpec& spec);
[[nodiscard]] std::string attention_text(const model::LayerSpec& layer);
[[nodiscard]] std::string ffn_text(const model::LayerSpec& layer);
[[nodiscard]] std::string rope_text(const model::Rope& rope);
[[nodiscard]] std::string shape_text(const std::vector<u64>& shape);  // "49152 x 576"
[[nodiscard]] std::string_view huge_pages_text(plan::HugePages pages);

struct KernelRow {
  std::string op, layout;          // layout: of matmul only
  std::vector<std::string> rungs;  // one an Isa: "own", "below", "no cpu"
  std::string used;                // the rung that works when nothing lowers the ceiling
};
[[nodiscard]] Result<std::vector<KernelRow>> kernel_table();

}  // namespace orrery::apps
