#include "apps/spec_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace orrery::apps {
namespace {

using kernels::Isa;
using kernels::Kernels;

std::string with(std::string text, bool has, std::string_view what) {
  return has ? fmt::format("{}, {}", text, what) : text;
}

std::string attention_text(const model::GroupedAttention& a) {
  std::string text =
      fmt::format("attention of {} heads ({} of keys) of {}", a.heads, a.kv_heads, a.head_dim);
  if (a.window) text += fmt::format(", window {}", a.window);
  if (a.chunk) text += fmt::format(", chunks of {}", a.chunk);
  text = with(text, a.qkv_bias || a.output_bias, "biases");
  text = with(text, a.qk_norm == model::QkNorm::kBeforeRope, "head norms");
  text = with(text, a.qk_norm == model::QkNorm::kPlainAfterRope, "plain head norms");
  text = with(text, a.gate, "gated");
  text = with(text, a.sinks, "sinks");
  text = with(text, a.temperature.scale != 0, "growing queries");
  return with(text, !a.rope, "no rope");
}

std::string attention_text(const model::LatentAttention& a) {
  std::string text =
      fmt::format("latent attention of {} heads (keys {} + {}, values {}) from latents of {} + {}",
                  a.heads, a.nope_dim, a.rope_dim, a.value_dim, a.kv_rank, a.rope_dim);
  if (a.query_rank) text += fmt::format(", queries from {}", a.query_rank);
  if (a.indexer.heads)
    text += fmt::format(", {} keys chosen by {} heads of {}", a.indexer.keys_max, a.indexer.heads,
                        a.indexer.head_dim);
  text = with(text, a.temperature.scale != 0, "growing queries");
  return with(text, a.bias, "biases");
}

std::string attention_text(const model::DeltaNet& d) {
  return fmt::format("delta net of {} heads ({} of keys), state {} x {}, convolution of {}",
                     d.value_heads, d.key_heads, d.key_dim, d.value_dim, d.conv_width);
}

std::string ffn_text(const model::DenseFfn& f) {
  return with(fmt::format("ffn {}", f.width), f.bias, "biases");
}

std::string ffn_text(const model::ExpertFfn& f) {
  const model::Router& r = f.router;
  std::string text = fmt::format("{} of {} experts of {} by {}", f.active, f.experts, f.width,
                                 r.score == model::Router::Score::kSoftmax ? "softmax" : "sigmoid");
  if (r.groups_kept < r.groups) text += fmt::format(" in {} of {} groups", r.groups_kept, r.groups);
  text = with(text, r.selection_bias, "selection bias");
  text = with(text, r.renormalize, "renormalised");
  if (r.scale != 1) text += fmt::format(", times {}", r.scale);
  text = with(text, r.weighs_input, "weighing inputs");
  if (f.shared_width) text += fmt::format(", shared {}", f.shared_width);
  text = with(text, f.shared_gate, "gated");
  return with(text, f.bias, "biases");
}

// One slot of the table of kernels, as something that can be compared between rungs.
struct Slot {
  std::string op, layout;
  std::function<const void*(const Kernels&)> of;
};

template <typename Function>
const void* address(Function* function) {
  return reinterpret_cast<const void*>(function);
}

std::vector<Slot> slots() {
  std::vector<Slot> list;
  for (u32 i = 0; i < kernels::kLayoutCount; ++i)
    list.push_back({"matmul", std::string(kernels::name(kernels::Layout(i))),
                    [i](const Kernels& k) { return address(k.matmul[i]); }});
  list.push_back({"quantize", "", [](const Kernels& k) { return address(k.quantize); }});
  list.push_back({"rms_norm", "", [](const Kernels& k) { return address(k.rms_norm); }});
  list.push_back({"rope", "", [](const Kernels& k) { return address(k.rope); }});
  list.push_back({"swiglu", "", [](const Kernels& k) { return address(k.swiglu); }});
  list.push_back({"add", "", [](const Kernels& k) { return address(k.add); }});
  list.push_back({"scale", "", [](const Kernels& k) { return address(k.scale); }});
  list.push_back({"max", "", [](const Kernels& k) { return address(k.max); }});
  list.push_back({"exp_sum", "", [](const Kernels& k) { return address(k.exp_sum); }});
  list.push_back({"store_kv", "", [](const Kernels& k) { return address(k.store_kv); }});
  list.push_back({"attend", "", [](const Kernels& k) { return address(k.attend); }});
  list.push_back({"decode_row", "", [](const Kernels& k) { return address(k.decode_row); }});
  return list;
}

// Where layers of a kind stand, when others stand between them: ", every 4th from 3".
std::string places_text(const std::vector<u32>& layers) {
  if (layers.back() - layers.front() + 1 == layers.size()) return "";
  const u32 step = layers[1] - layers[0];
  for (std::size_t i = 1; i < layers.size(); ++i)
    if (layers[i] - layers[i - 1] != step) return ", the layers between";
  const std::string_view ending = step == 2 ? "nd" : step == 3 ? "rd" : "th";
  return fmt::format(", every {}{} from {}", step, ending, layers[0]);
}

}  // namespace

std::string attention_text(const model::LayerSpec& layer) {
  return std::visit([](const auto& a) { return attention_text(a); }, layer.attention);
}

std::string ffn_text(const model::LayerSpec& layer) {
  return std::visit([](const auto& f) { return ffn_text(f); }, layer.ffn);
}

std::vector<std::string> folded(const model::ModelSpec& spec, const LayerText& text) {
  struct Kind {
    std::string text;
    std::vector<u32> layers;
  };
  std::vector<Kind> kinds;
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    const std::string one = text(spec.layers[i]);
    auto at = std::find_if(kinds.begin(), kinds.end(),
                           [&](const Kind& kind) { return kind.text == one; });
    if (at == kinds.end()) at = kinds.insert(kinds.end(), Kind{one, {}});
    at->layers.push_back(i);
  }
  std::vector<std::string> lines;
  for (const Kind& kind : kinds)
    lines.push_back(
        fmt::format("{} x {}{}", kind.layers.size(), kind.text, places_text(kind.layers)));
  return lines;
}

std::vector<std::string> folded_layers(const model::ModelSpec& spec) {
  return folded(spec, [](const model::LayerSpec& layer) {
    return attention_text(layer) + "; " + ffn_text(layer);
  });
}

std::string rope_text(const model::Rope& rope) {
  std::string text = fmt::format("rope over {} values, base {}", rope.dim, rope.base);
  switch (rope.scaling) {
    case model::Rope::Scaling::kNone:
      break;
    case model::Rope::Scaling::kLinear:
      text += fmt::format(", stretched by {}", rope.factor);
      break;
    case model::Rope::Scaling::kByWavelength:
      text += fmt::format(", long waves stretched by {} (trained at {})", rope.factor,
                          rope.original_context);
      break;
    case model::Rope::Scaling::kByLength:
      text += fmt::format(", its base growing beyond {} by {}", rope.original_context, rope.factor);
      break;
    case model::Rope::Scaling::kYarn:
      text += fmt::format(", YaRN by {} (trained at {})", rope.factor, rope.original_context);
      break;
    case model::Rope::Scaling::kTwoTables:
      text += fmt::format(", other divisors beyond {}", rope.original_context);
      break;
  }
  if (rope.magnitude != 1) text += fmt::format(", times {:.4f}", rope.magnitude);
  if (rope.divisors_in_file) text += ", divisors from the file";
  return text;
}

std::string shape_text(const std::vector<u64>& shape) {
  std::string text;
  for (const u64 side : shape) text += (text.empty() ? "" : " x ") + std::to_string(side);
  return text;
}

std::string_view huge_pages_text(plan::HugePages pages) {
  switch (pages) {
    case plan::HugePages::kNever:
      return "never";
    case plan::HugePages::kMadvise:
      return "on request";
    case plan::HugePages::kAlways:
      return "always";
  }
  return "";
}

Result<std::vector<KernelRow>> kernel_table() {
  // The whole table at each height of the ladder that this CPU reaches.
  std::vector<std::pair<Isa, Kernels>> heights;
  for (u32 i = 0; i < kernels::kIsaCount; ++i) {
    if (!kernels::cpu_has(Isa(i))) continue;
    TRY(const Kernels kernels, kernels::resolve(kernels::name(Isa(i))));
    heights.emplace_back(Isa(i), kernels);
  }
  std::vector<KernelRow> rows;
  for (const Slot& slot : slots()) {
    KernelRow row{slot.op, slot.layout, std::vector<std::string>(kernels::kIsaCount, "no cpu"), ""};
    const void* below = nullptr;
    for (const auto& [isa, kernels] : heights) {
      const void* own = slot.of(kernels);
      row.rungs[u8(isa)] = own != below ? "own" : "below";
      if (own != below) row.used = kernels::name(isa);
      below = own;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace orrery::apps
