#include "model/families/fields.h"

#include <array>

namespace orrery::model {
namespace {

using checkpoint::Kind;

struct FieldNames {
  std::string_view field, hugging_face, gguf;  // GGUF keys without the architecture's prefix
};

constexpr FieldNames kFields[] = {
    {"dim", "hidden_size", "embedding_length"},
    {"layers", "num_hidden_layers", "block_count"},
    {"heads", "num_attention_heads", "attention.head_count"},
    {"kv_heads", "num_key_value_heads", "attention.head_count_kv"},
    {"head_dim", "head_dim", "attention.key_length"},
    {"value_dim", "", "attention.value_length"},
    {"ffn_width", "intermediate_size", "feed_forward_length"},
    {"vocab", "vocab_size", "vocab_size"},
    {"context", "max_position_embeddings", "context_length"},
    {"norm_eps", "rms_norm_eps", "attention.layer_norm_rms_epsilon"},
    {"window", "sliding_window", "attention.sliding_window"},
    {"experts", "num_local_experts", "expert_count"},
};

constexpr u32 kCountMax = 1u << 30;

// Keys of config.json that change nothing in the forward pass of a trained model: how it was
// trained, initialised, saved or tokenized.
constexpr std::string_view kNoEffect[] = {
    "_name_or_path", "architectures",        "attention_dropout", "bos_token_id",
    "dtype",         "eos_token_id",         "initializer_range", "is_llama_config",
    "model_type",    "pad_token_id",         "pretraining_tp",    "rope_interleaved",
    "torch_dtype",   "transformers_version", "use_cache",         "transformers.js_config",
};

Result<std::vector<i32>> stop_tokens(const checkpoint::Config& config) {
  std::vector<i32> stops;
  if (const checkpoint::Value* value = config.find("eos_token_id")) {
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
  if (!gguf_) {
    for (std::string_view key : kNoEffect) (void)checkpoint.config().find(key);
    return;
  }
  const auto architecture = checkpoint.config().get_string("general.architecture");
  if (architecture && *architecture) prefix_ = **architecture + ".";
}

std::string Fields::key(std::string_view field) const {
  for (const FieldNames& row : kFields)
    if (row.field == field)
      return gguf_ ? prefix_ + std::string(row.gguf) : std::string(row.hugging_face);
  return std::string(field);
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

Result<u32> Fields::layer_count() const { return count("layers"); }

Result<ModelSpec> Fields::decoder() const {
  CHECK_OK(refuse_unsupported());
  const checkpoint::Config& config = checkpoint_->config();
  ModelSpec spec;
  TRY(spec.dim, count("dim"));
  TRY(spec.context, count("context"));
  TRY(const f64 eps, number("norm_eps"));
  spec.norm_eps = f32(eps);
  TRY(spec.rope, rope());
  const checkpoint::TensorView* embedding =
      checkpoint_->find(gguf_ ? "token_embd.weight" : "model.embed_tokens.weight");
  if (gguf_) {
    // The file need not say how many tokens there are: the embedding has a row for each.
    const u32 rows = embedding && embedding->shape.size() == 2 && embedding->shape[0] < kCountMax
                         ? u32(embedding->shape[0])
                         : 0;
    TRY(spec.vocab, count_or("vocab", rows));
    spec.tied_output = checkpoint_->find("output.weight") == nullptr;
    TRY(const auto eos, config.get_integer("tokenizer.ggml.eos_token_id"));
    if (eos && *eos >= 0 && *eos < i64(kCountMax)) spec.stop_tokens.push_back(i32(*eos));
  } else {
    TRY(spec.vocab, count("vocab"));
    TRY(spec.tied_output, config.bool_or("tie_word_embeddings", false));
    TRY(spec.stop_tokens, stop_tokens(config));
  }
  return spec;
}

Result<bool> Fields::bias(std::string_view setting, std::string_view gguf_tensor) const {
  if (gguf_) return checkpoint_->find(gguf_tensor) != nullptr;
  return checkpoint_->config().bool_or(setting, false);
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
  TRY(a.qkv_bias, bias("attention_bias", "blk.0.attn_q.bias"));
  TRY(a.output_bias, bias("attention_bias", "blk.0.attn_output.bias"));
  return a;
}

Result<DenseFfn> Fields::dense_ffn() const {
  DenseFfn f;
  TRY(f.width, count("ffn_width"));
  TRY(f.bias, bias("mlp_bias", "blk.0.ffn_gate.bias"));
  return f;
}

Result<Rope> Fields::rope() const {
  TRY(Rope rope, gguf_ ? gguf_rope() : hugging_face_rope());
  TRY(const u32 dim, count("dim"));
  TRY(const u32 heads, count("heads"));
  TRY(const u32 head_dim, count_or("head_dim", dim / heads));
  if (rope.dim == 0) rope.dim = head_dim;
  return rope;
}

// Newer exports write rope_parameters, older ones rope_theta and rope_scaling with "type" or
// "rope_type".
Result<Rope> Fields::hugging_face_rope() const {
  const checkpoint::Config& config = checkpoint_->config();
  Rope rope;
  TRY(rope.base, config.number_or("rope_theta", 10000));
  const std::string_view section =
      config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!config.has(section)) return rope;
  const auto inside = [&](std::string_view name) { return fmt::format("{}.{}", section, name); };
  TRY(rope.base, config.number_or(inside("rope_theta"), rope.base));
  std::string type = "default";
  for (std::string_view name : {"type", "rope_type"}) {
    TRY(const auto found, config.get_string(inside(name)));
    if (found) type = *found;
  }
  if (type == "default") return rope;
  TRY(rope.factor, config.require_number(inside("factor")));
  if (type == "linear") {
    rope.scaling = Rope::Scaling::kLinear;
    return rope;
  }
  if (type != "llama3")
    return fail("{}: rope scaling \"{}\" is not supported yet (default, linear and three-band are)",
                inside("rope_type"), type);
  rope.scaling = Rope::Scaling::kByWavelength;
  TRY(rope.low_frequency_factor, config.require_number(inside("low_freq_factor")));
  TRY(rope.high_frequency_factor, config.require_number(inside("high_freq_factor")));
  TRY(rope.original_context,
      config.require_u32(inside("original_max_position_embeddings"), 1, kCountMax));
  return rope;
}

Result<Rope> Fields::gguf_rope() const {
  const checkpoint::Config& config = checkpoint_->config();
  Rope rope;
  TRY(rope.base, config.number_or(prefix_ + "rope.freq_base", 10000));
  TRY(rope.dim, config.u32_or(prefix_ + "rope.dimension_count", 0, 0, kCountMax));
  TRY(const auto type, config.get_string(prefix_ + "rope.scaling.type"));
  if (type && *type == "linear") {
    rope.scaling = Rope::Scaling::kLinear;
    TRY(rope.factor, config.require_number(prefix_ + "rope.scaling.factor"));
  } else if (type && *type != "none") {
    return fail("{}rope.scaling.type: \"{}\" is not supported yet (none and linear are)", prefix_,
                *type);
  }
  rope.divisors_in_file = checkpoint_->find("rope_freqs.weight") != nullptr;
  return rope;
}

Result<void> Fields::refuse_unsupported() const {
  TRY(const u32 experts, count_or("experts", 0));
  if (experts > 0) return fail("{}: mixtures of experts are not supported yet", key("experts"));
  if (gguf_) return {};
  TRY(const auto activation, checkpoint_->config().get_string("hidden_act"));
  if (activation && *activation != "silu")
    return fail("hidden_act: \"{}\" is not supported (silu is)", *activation);
  if (checkpoint_->config().has("quantization_config"))
    return fail("quantization_config: quantised Hugging Face checkpoints are not supported yet");
  return {};
}

}  // namespace orrery::model
