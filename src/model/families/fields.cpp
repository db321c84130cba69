#include "model/families/fields.h"

#include <algorithm>
#include <cmath>

#include "model/families/field_names.h"

namespace orrery::model {
namespace {

using checkpoint::Config;
using checkpoint::Kind;

constexpr u32 kCountMax = 1u << 30;
constexpr u32 kLayersMax = 4096;

// The bar-separated name that the config has, else the first.
std::string_view choose(const Config& config, std::string_view prefix, std::string_view names) {
  const std::string_view first = names.substr(0, names.find('|'));
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find('|'));
    if (config.has(fmt::format("{}{}", prefix, name))) return name;
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
  return first;
}

Result<std::vector<i32>> stop_tokens(const Config& config, std::string_view key) {
  std::vector<i32> stops;
  if (const checkpoint::Value* value = config.find(key)) {
    const auto keep = [&](i64 id) {
      if (id >= 0 && id < i64(kCountMax)) stops.push_back(i32(id));
    };
    if (const auto* one = std::get_if<i64>(&value->data)) keep(*one);
    if (const auto* many = std::get_if<checkpoint::Integers>(&value->data))
      for (i64 id : *many) keep(id);
  }
  return stops;
}

}  // namespace

Fields::Fields(const checkpoint::Checkpoint& checkpoint)
    : checkpoint_(&checkpoint), gguf_(checkpoint.kind() == Kind::kGguf) {
  const Config& config = checkpoint.config();
  if (gguf_) {
    const auto architecture = config.get_string("general.architecture");
    if (architecture && *architecture) prefix_ = **architecture + ".";
    return;
  }
  if (config.has("text_config.hidden_size")) prefix_ = "text_config.";
  for (std::string_view key : keys_without_effect()) {
    (void)config.find(key);
    (void)config.find(prefix_ + std::string(key));
  }
}

std::string Fields::key(std::string_view field) const {
  for (const FieldNames& row : field_names()) {
    if (row.field != field) continue;
    const std::string_view names = gguf_ ? row.gguf : row.hugging_face;
    if (names.empty()) return {};
    return prefix_ + std::string(choose(checkpoint_->config(), prefix_, names));
  }
  return prefix_ + std::string(field);
}

Result<u32> Fields::count(std::string_view field) const {
  return checkpoint_->config().require_u32(key(field), 1, kCountMax);
}
Result<u32> Fields::count_or(std::string_view field, u32 otherwise) const {
  return checkpoint_->config().u32_or(key(field), otherwise, 0, kCountMax);
}
Result<f64> Fields::number(std::string_view field) const {
  return checkpoint_->config().require_number(key(field));
}
Result<f64> Fields::number_or(std::string_view field, f64 otherwise) const {
  return checkpoint_->config().number_or(key(field), otherwise);
}
Result<bool> Fields::flag_or(std::string_view field, bool otherwise) const {
  return checkpoint_->config().bool_or(key(field), otherwise);
}
Result<std::optional<std::string>> Fields::text(std::string_view field) const {
  return checkpoint_->config().get_string(key(field));
}
bool Fields::has(std::string_view field) const { return checkpoint_->config().has(key(field)); }

bool Fields::has_tensor(std::string_view rest, u32 layer) const {
  return checkpoint_->find(fmt::format("blk.{}.{}", layer, rest)) != nullptr;
}

Result<Fields::LayerRule> Fields::layers_of_type(std::string_view field, std::string_view type,
                                                 LayerRule otherwise) const {
  TRY(const checkpoint::Strings* types, checkpoint_->config().get_strings(key(field)));
  if (!types) return otherwise;
  TRY(const u32 layers, count("layers"));
  if (types->size() < layers)
    return fail("{}: {} entries for {} layers", key(field), types->size(), layers);
  std::vector<bool> is(layers);
  for (u32 i = 0; i < layers; ++i) is[i] = (*types)[i] == type;
  return [is](u32 layer) { return layer < is.size() && is[layer]; };
}

Result<Fields::LayerRule> Fields::layers_listed(std::string_view field, LayerRule otherwise) const {
  if (!has(field)) return otherwise;
  TRY(const auto numbers, checkpoint_->config().get_integers(key(field)));
  const checkpoint::Integers list = numbers.value_or(checkpoint::Integers{});
  return
      [list](u32 layer) { return std::find(list.begin(), list.end(), i64(layer)) != list.end(); };
}

Result<Fields::LayerRule> Fields::layers_flagged(std::string_view field,
                                                 LayerRule otherwise) const {
  TRY(const auto numbers, checkpoint_->config().get_integers(key(field)));
  if (!numbers || numbers->empty()) return otherwise;
  TRY(const u32 layers, count("layers"));
  if (numbers->size() < layers)
    return fail("{}: {} entries for {} layers", key(field), numbers->size(), layers);
  return [list = *numbers](u32 layer) { return layer < list.size() && list[layer] != 0; };
}

Result<ModelSpec> Fields::decoder(Defaults defaults) const {
  CHECK_OK(refuse_unsupported());
  const Config& config = checkpoint_->config();
  ModelSpec spec;
  TRY(spec.dim, count("dim"));
  TRY(spec.context, count("context"));
  TRY(const f64 eps, number("norm_eps"));
  spec.norm_eps = f32(eps);
  TRY(spec.rope, rope(defaults));
  TRY(u32 layers, count("layers"));
  TRY(spec.prediction_layers, count_or("prediction_layers", 0));
  if (gguf_) {
    // The file need not say how many tokens there are: the embedding has a row for each.
    const checkpoint::TensorView* embedding = checkpoint_->find("token_embd.weight");
    const u32 rows = embedding && embedding->shape.size() == 2 && embedding->shape[0] < kCountMax
                         ? u32(embedding->shape[0])
                         : 0;
    TRY(spec.vocab, count_or("vocab", rows));
    spec.tied_output = checkpoint_->find("output.weight") == nullptr;
    TRY(const auto eos, config.get_integer("tokenizer.ggml.eos_token_id"));
    if (eos && *eos >= 0 && *eos < i64(kCountMax)) spec.stop_tokens.push_back(i32(*eos));
    // block_count counts the layers that guess ahead, too.
    if (spec.prediction_layers >= layers)
      return fail("{}: {} of {} layers", key("prediction_layers"), spec.prediction_layers, layers);
    layers -= spec.prediction_layers;
  } else {
    TRY(spec.vocab, count("vocab"));
    // A wrapper's own setting counts where its language model has none.
    TRY(const bool tied, config.bool_or("tie_word_embeddings", false));
    TRY(spec.tied_output, flag_or("tied_output", tied));
    TRY(spec.stop_tokens, stop_tokens(config, prefix_ + "eos_token_id"));
  }
  if (layers > kLayersMax) return fail("{}: {} layers", key("layers"), layers);
  spec.layers.resize(layers);
  return spec;
}

Result<bool> Fields::bias(std::string_view field, std::string_view gguf_tensor) const {
  if (gguf_) return has_tensor(gguf_tensor);
  return flag_or(field, false);
}

Result<GroupedAttention> Fields::grouped_attention() const {
  GroupedAttention a;
  TRY(const u32 dim, count("dim"));
  TRY(a.heads, count("heads"));
  TRY(a.kv_heads, count_or("kv_heads", a.heads));
  TRY(a.head_dim, count_or("head_dim", dim / a.heads));
  if (gguf_) {
    TRY(const u32 value_dim, count_or("value_dim", a.head_dim));
    if (value_dim != a.head_dim)
      return fail("{}: values of {} and keys of {} a head are not supported", key("value_dim"),
                  value_dim, a.head_dim);
  }
  TRY(a.qkv_bias, bias("attention_bias", "attn_q.bias"));
  TRY(a.output_bias, bias("attention_bias", "attn_output.bias"));
  return a;
}

Result<LatentAttention> Fields::latent_attention() const {
  LatentAttention a;
  TRY(a.heads, count("heads"));
  TRY(a.query_rank, count_or("query_rank", 0));
  TRY(a.kv_rank, count("kv_rank"));
  TRY(a.rope_dim, count("rope_dim"));
  if (gguf_ && !has("latent_key_dim")) {  // older files say the sizes of expanded heads
    TRY(const u32 key_dim, count("head_dim"));
    if (key_dim <= a.rope_dim) return fail("{}: {}", key("head_dim"), key_dim);
    a.nope_dim = key_dim - a.rope_dim;
    TRY(a.value_dim, count("value_dim"));
  } else {
    TRY(a.value_dim, count("latent_value_dim"));
    if (gguf_) {
      TRY(const u32 key_dim, count("latent_key_dim"));
      if (key_dim <= a.rope_dim) return fail("{}: {}", key("latent_key_dim"), key_dim);
      a.nope_dim = key_dim - a.rope_dim;
    } else {
      TRY(a.nope_dim, count("nope_dim"));
    }
  }
  TRY(a.bias, bias("attention_bias", "attn_kv_a_mqa.bias"));
  TRY(const f64 factor, softmax_factor());
  a.scale = f32(factor / std::sqrt(f64(a.query_dim())));
  return a;
}

Result<DeltaNet> Fields::delta_net() const {
  DeltaNet d;
  TRY(d.key_heads, count("delta_key_heads"));
  TRY(d.value_heads, count("delta_value_heads"));
  TRY(d.key_dim, count("delta_key_dim"));
  TRY(d.conv_width, count("delta_conv_width"));
  if (gguf_) {
    TRY(const u32 size, count("delta_value_size"));
    if (size % d.value_heads != 0) return fail("{}: {}", key("delta_value_size"), size);
    d.value_dim = size / d.value_heads;
  } else {
    TRY(d.value_dim, count("delta_value_dim"));
  }
  return d;
}

Result<DenseFfn> Fields::dense_ffn() const {
  DenseFfn f;
  TRY(f.width, count("ffn_width"));
  TRY(f.bias, bias("ffn_bias", "ffn_gate.bias"));
  return f;
}

Result<ExpertFfn> Fields::expert_ffn() const {
  ExpertFfn f;
  TRY(f.experts, count("experts"));
  TRY(f.active, count("experts_active"));
  TRY(f.width, count("expert_width"));
  TRY(const u32 shared, count_or("shared_experts", 0));
  f.shared_width = shared * f.width;
  if (shared > 4096 || u64(shared) * f.width > kCountMax)
    return fail("{}: {}", key("shared_experts"), shared);
  TRY(f.shared_width, count_or("shared_width", f.shared_width));
  TRY(const f64 scale, number_or("expert_scale", 1));
  f.router.scale = scale == 0 ? 1.0f : f32(scale);  // GGUF writes 0 for "none"
  TRY(f.router.renormalize, flag_or("expert_renormalize", false));
  TRY(f.router.groups, count_or("expert_groups", 1));
  TRY(f.router.groups_kept, count_or("expert_groups_kept", 1));
  f.router.groups = std::max(1u, f.router.groups);
  f.router.groups_kept = std::max(1u, f.router.groups_kept);
  return f;
}

Result<QueryTemperature> Fields::temperature() const {
  QueryTemperature t;
  if (gguf_) {
    TRY(const f64 scale, number_or("temperature_scale", 0));
    t.scale = f32(scale);
    TRY(t.length, count_or("temperature_length", 0));
    if (t.length == 0) {
      TRY(t.length, checkpoint_->config().u32_or(prefix_ + "rope.scaling.original_context_length",
                                                 1, 1, kCountMax));
    }
    return t;
  }
  const Config& config = checkpoint_->config();
  TRY(const f64 scale, config.number_or(rope_key("llama_4_scaling_beta"), 0));
  if (scale == 0) return t;
  t.scale = f32(scale);
  TRY(t.length, config.require_u32(rope_key("original_max_position_embeddings"), 1, kCountMax));
  return t;
}

Result<void> Fields::set_windows(ModelSpec& spec, LayerRule otherwise) const {
  TRY(const u32 window, count_or("window", 0));
  TRY(const bool used, flag_or("uses_window", true));
  TRY(const LayerRule slides,
      layers_of_type(
          "layer_types", "sliding_attention", used ? otherwise : [](u32) { return false; }));
  for (u32 i = 0; i < spec.layers.size(); ++i)
    if (auto* a = std::get_if<GroupedAttention>(&spec.layers[i].attention))
      a->window = slides(i) ? window : 0;
  return {};
}

Result<void> Fields::refuse_unsupported() const {
  if (gguf_) return {};
  TRY(const auto activation, text("activation"));
  if (activation && *activation != "silu")
    return fail("hidden_act: \"{}\" is not supported (silu is)", *activation);
  return {};
}

}  // namespace orrery::model
