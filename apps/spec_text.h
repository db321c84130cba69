// Models, shapes and kernels in words and tables, for `inspect` and `compare`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/kernels.h"
#include "model/spec.h"
#include "plan/host.h"

namespace orrery::apps {

// One line for each kind of layer, in the words of `text`: "30 x attention of 9 heads …".
using LayerText = std::function<std::string(const model::LayerSpec& layer)>;
[[nodiscard]] std::vector<std::string> folded(const model::ModelSpec& spec, const LayerText& text);
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
