// Reading of the rotary positions and their scalings, in both worlds.
#include <cmath>
#include <cstring>

#include "model/families/fields.h"

namespace orrery::model {
namespace {

using checkpoint::Config;

constexpr u32 kCountMax = 1u << 30;

// Peng et al. 2023, eq. 22: by how much attention's temperature grows with the context.
f64 yarn_magnitude(f64 factor, f64 weight = 1) {
  return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1;
}

// LongRoPE (Ding et al. 2024): the square root of how much the entropy grows.
f64 table_magnitude(f64 stretch, u32 original) {
  return stretch <= 1 ? 1 : std::sqrt(1 + std::log(stretch) / std::log(original));
}

Result<std::vector<f64>> divisors(const Config& config, const std::string& key, u32 pairs) {
  TRY(const auto numbers, config.get_numbers(key));
  if (!numbers || numbers->size() != pairs)
    return fail("{}: {} numbers for {} rotary pairs", key, numbers ? numbers->size() : 0, pairs);
  for (f64 value : *numbers)
    if (!(value > 0 && std::isfinite(value))) return fail("{}: a divisor of {}", key, value);
  return *numbers;
}

}  // namespace

std::string Fields::rope_key(std::string_view name) const {
  const std::string newer = prefix_ + "rope_parameters";
  return fmt::format("{}{}.{}", prefix_,
                     checkpoint_->config().has(newer) ? "rope_parameters" : "rope_scaling", name);
}

Result<Rope> Fields::rope(Defaults defaults) const {
  return gguf_ ? gguf_rope(defaults) : hugging_face_rope(defaults);
}

// "type" and "rope_type" are the same key of different years.
Result<Rope> Fields::hugging_face_rope(Defaults defaults) const {
  const Config& config = checkpoint_->config();
  Rope rope;
  TRY(const u32 dim, count("dim"));
  TRY(const u32 heads, count("heads"));
  if (has("rope_dim")) {
    TRY(rope.dim, count("rope_dim"));
    (void)config.find(rope_key("partial_rotary_factor"));  // follows from the sizes
    (void)config.find(key("rotary_fraction"));
  } else {
    TRY(const u32 head_dim, count_or("head_dim", dim / heads));
    TRY(f64 fraction, number_or("rotary_fraction", defaults.rotary_fraction));
    TRY(fraction, config.number_or(rope_key("partial_rotary_factor"), fraction));
    if (!(fraction > 0 && fraction <= 1)) return fail("{}: {}", key("rotary_fraction"), fraction);
    rope.dim = u32(head_dim * fraction);
  }
  TRY(rope.base, config.number_or(prefix_ + "rope_theta", defaults.rope_base));
  TRY(rope.base, config.number_or(rope_key("rope_theta"), rope.base));
  for (std::string_view name : {"mrope_section", "mrope_interleaved"})  // all equal in text
    (void)config.find(rope_key(name));
  std::string type = "default";
  for (std::string_view name : {"type", "rope_type"}) {
    TRY(const auto found, config.get_string(rope_key(name)));
    if (found) type = *found;
  }
  if (type == "default" || type == "mrope") return rope;
  TRY(const u32 context, count("context"));
  TRY(rope.original_context,
      config.u32_or(prefix_ + "original_max_position_embeddings", context, 1, kCountMax));
  TRY(rope.original_context, config.u32_or(rope_key("original_max_position_embeddings"),
                                           rope.original_context, 1, kCountMax));
  (void)config.find(rope_key("max_position_embeddings"));
  const f64 stretch = f64(context) / rope.original_context;
  if (type == "yarn" || type == "longrope" || type == "su") {
    TRY(rope.factor, config.number_or(rope_key("factor"), stretch));
  } else {
    TRY(rope.factor, config.require_number(rope_key("factor")));
  }
  if (type == "linear") {
    rope.scaling = Rope::Scaling::kLinear;
  } else if (type == "dynamic") {
    rope.scaling = Rope::Scaling::kByLength;
    rope.original_context = context;
  } else if (type == "llama3") {
    rope.scaling = Rope::Scaling::kByWavelength;
    TRY(rope.low_frequency_factor, config.require_number(rope_key("low_freq_factor")));
    TRY(rope.high_frequency_factor, config.require_number(rope_key("high_freq_factor")));
  } else if (type == "yarn") {
    CHECK_OK(hugging_face_yarn(rope));
  } else if (type == "longrope" || type == "su") {
    CHECK_OK(hugging_face_tables(rope));
  } else {
    return fail(
        "{}: rope scaling \"{}\" is not supported (default, linear, dynamic, llama3, yarn and "
        "longrope are)",
        rope_key("rope_type"), type);
  }
  return rope;
}

Result<void> Fields::hugging_face_yarn(Rope& rope) const {
  const Config& config = checkpoint_->config();
  rope.scaling = Rope::Scaling::kYarn;
  TRY(rope.beta_fast, config.number_or(rope_key("beta_fast"), 32));
  TRY(rope.beta_slow, config.number_or(rope_key("beta_slow"), 1));
  TRY(rope.whole_pairs, config.bool_or(rope_key("truncate"), true));
  TRY(const f64 mscale, config.number_or(rope_key("mscale"), 0));
  TRY(const f64 mscale_all, config.number_or(rope_key("mscale_all_dim"), 0));
  const bool both = mscale != 0 && mscale_all != 0;
  const f64 magnitude =
      both ? yarn_magnitude(rope.factor, mscale) / yarn_magnitude(rope.factor, mscale_all)
           : yarn_magnitude(rope.factor);
  TRY(rope.magnitude, config.number_or(rope_key("attention_factor"), magnitude));
  return {};
}

Result<void> Fields::hugging_face_tables(Rope& rope) const {
  const Config& config = checkpoint_->config();
  rope.scaling = Rope::Scaling::kTwoTables;
  TRY(rope.short_divisors, divisors(config, rope_key("short_factor"), rope.dim / 2));
  TRY(rope.long_divisors, divisors(config, rope_key("long_factor"), rope.dim / 2));
  TRY(rope.magnitude, config.number_or(rope_key("attention_factor"),
                                       table_magnitude(rope.factor, rope.original_context)));
  return {};
}

Result<Rope> Fields::gguf_rope(Defaults defaults) const {
  const Config& config = checkpoint_->config();
  Rope rope;
  TRY(const u32 dim, count("dim"));
  TRY(const u32 heads, count("heads"));
  TRY(const u32 head_dim, count_or("head_dim", dim / heads));
  TRY(rope.dim, count_or("rotary_dim", head_dim));
  if (rope.dim == 0) rope.dim = head_dim;
  const auto inside = [&](std::string_view name) {
    return fmt::format("{}rope.{}", prefix_, name);
  };
  (void)config.find(inside("dimension_sections"));
  TRY(rope.base, config.number_or(inside("freq_base"), defaults.rope_base));
  TRY(const auto type, config.get_string(inside("scaling.type")));
  rope.divisors_in_file = checkpoint_->find("rope_freqs.weight") != nullptr;
  TRY(const u32 context, count("context"));
  TRY(rope.original_context,
      config.u32_or(inside("scaling.original_context_length"), context, 1, kCountMax));
  // The files of the first days after a release; they fall apart beyond the trained length.
  if (rope.base == 500'000 && context > 8192 && !type && !rope.divisors_in_file)
    remark(fmt::format(
        "a context of {} over a rope of base 500000 without rope_freqs.weight: if the model's "
        "positions are scaled (three bands), the file lacks that (convert the model anew)",
        context));
  if (!type || *type == "none") return rope;
  if (*type == "longrope") {
    CHECK_OK(gguf_tables(rope));
    return rope;
  }
  TRY(rope.factor, config.require_number(inside("scaling.factor")));
  if (*type == "linear") {
    rope.scaling = Rope::Scaling::kLinear;
  } else if (*type == "yarn") {
    rope.scaling = Rope::Scaling::kYarn;
    TRY(rope.beta_fast, config.number_or(inside("scaling.yarn_beta_fast"), 32));
    TRY(rope.beta_slow, config.number_or(inside("scaling.yarn_beta_slow"), 1));
    // Where the file says what the softmax scale becomes, cosines and sines keep their size.
    TRY(const f64 in_softmax, config.number_or(inside("scaling.yarn_log_multiplier"), 0));
    rope.magnitude = in_softmax != 0 ? 1 : yarn_magnitude(rope.factor);
    TRY(rope.magnitude, config.number_or(inside("scaling.attn_factor"), rope.magnitude));
    TRY(rope.magnitude, config.number_or(inside("scaling.yarn_attn_factor"), rope.magnitude));
  } else {
    return fail("{}: \"{}\" is not supported (none, linear, yarn and longrope are)",
                inside("scaling.type"), *type);
  }
  return rope;
}

// The divisors stand in two tensors.
Result<void> Fields::gguf_tables(Rope& rope) const {
  rope.scaling = Rope::Scaling::kTwoTables;
  for (auto [name, table] : {std::pair{"rope_factors_short.weight", &rope.short_divisors},
                             std::pair{"rope_factors_long.weight", &rope.long_divisors}}) {
    const checkpoint::TensorView* view = checkpoint_->find(name);
    if (!view || view->format != Format::kF32 || view->bytes.size() != rope.dim / 2 * sizeof(f32))
      return fail("tensor {} of {} float32 values is missing or another", name, rope.dim / 2);
    for (u32 i = 0; i < rope.dim / 2; ++i) {
      f32 value;
      std::memcpy(&value, view->bytes.data() + i * sizeof(f32), sizeof(f32));
      if (!(value > 0 && std::isfinite(value)))
        return fail("tensor {}: a divisor of {}", name, value);
      table->push_back(value);
    }
  }
  TRY(const u32 context, count("context"));
  const f64 stretch = f64(context) / rope.original_context;
  TRY(rope.magnitude,
      checkpoint_->config().number_or(prefix_ + "rope.scaling.attn_factor",
                                      table_magnitude(stretch, rope.original_context)));
  return {};
}

Result<f64> Fields::softmax_factor() const {
  const Config& config = checkpoint_->config();
  if (gguf_) {
    TRY(const f64 factor, config.number_or(prefix_ + "rope.scaling.factor", 1));
    TRY(const f64 weight, config.number_or(prefix_ + "rope.scaling.yarn_log_multiplier", 0));
    const f64 magnitude = factor <= 1 ? 1 : 1 + weight * std::log(factor);
    return magnitude * magnitude;
  }
  TRY(const f64 factor, config.number_or(rope_key("factor"), 1));
  TRY(const f64 weight, config.number_or(rope_key("mscale_all_dim"), 0));
  const f64 magnitude = weight == 0 ? 1 : yarn_magnitude(factor, weight);
  return magnitude * magnitude;
}

}  // namespace orrery::model
