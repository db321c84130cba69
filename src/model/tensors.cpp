#include "model/tensors.h"

#include <array>

namespace orrery::model {
namespace {

struct RoleNames {
  Role role;
  std::string_view name, gguf, hugging_face;  // {} stands for the layer's number
};

constexpr std::array<RoleNames, kRoleCount> kNames = {{
    {Role::kEmbedding, "embedding", "token_embd.weight", "model.embed_tokens.weight"},
    {Role::kOutputNorm, "output_norm", "output_norm.weight", "model.norm.weight"},
    {Role::kOutput, "output", "output.weight", "lm_head.weight"},
    {Role::kRopeDivisors, "rope_divisors", "rope_freqs.weight", ""},
    {Role::kAttentionNorm, "attention_norm", "blk.{}.attn_norm.weight",
     "model.layers.{}.input_layernorm.weight"},
    {Role::kQuery, "query", "blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
    {Role::kKey, "key", "blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
    {Role::kValue, "value", "blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {Role::kAttentionOutput, "attention_output", "blk.{}.attn_output.weight",
     "model.layers.{}.self_attn.o_proj.weight"},
    {Role::kQueryBias, "query_bias", "blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"},
    {Role::kKeyBias, "key_bias", "blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"},
    {Role::kValueBias, "value_bias", "blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"},
    {Role::kAttentionOutputBias, "attention_output_bias", "blk.{}.attn_output.bias",
     "model.layers.{}.self_attn.o_proj.bias"},
    {Role::kFfnNorm, "ffn_norm", "blk.{}.ffn_norm.weight",
     "model.layers.{}.post_attention_layernorm.weight"},
    {Role::kGate, "gate", "blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    {Role::kUp, "up", "blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    {Role::kDown, "down", "blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
    {Role::kGateBias, "gate_bias", "blk.{}.ffn_gate.bias", "model.layers.{}.mlp.gate_proj.bias"},
    {Role::kUpBias, "up_bias", "blk.{}.ffn_up.bias", "model.layers.{}.mlp.up_proj.bias"},
    {Role::kDownBias, "down_bias", "blk.{}.ffn_down.bias", "model.layers.{}.mlp.down_proj.bias"},
}};

void need_attention(const GroupedAttention& a, u64 dim, u32 layer, std::vector<TensorNeed>& out) {
  const u64 q = u64(a.heads) * a.head_dim, kv = u64(a.kv_heads) * a.head_dim;
  out.push_back({Role::kAttentionNorm, layer, {dim}});
  out.push_back({Role::kQuery, layer, {q, dim}});
  out.push_back({Role::kKey, layer, {kv, dim}});
  out.push_back({Role::kValue, layer, {kv, dim}});
  out.push_back({Role::kAttentionOutput, layer, {dim, q}});
  if (a.qkv_bias) {
    out.push_back({Role::kQueryBias, layer, {q}});
    out.push_back({Role::kKeyBias, layer, {kv}});
    out.push_back({Role::kValueBias, layer, {kv}});
  }
  if (a.output_bias) out.push_back({Role::kAttentionOutputBias, layer, {dim}});
}

void need_ffn(const DenseFfn& f, u64 dim, u32 layer, std::vector<TensorNeed>& out) {
  out.push_back({Role::kFfnNorm, layer, {dim}});
  out.push_back({Role::kGate, layer, {f.width, dim}});
  out.push_back({Role::kUp, layer, {f.width, dim}});
  out.push_back({Role::kDown, layer, {dim, f.width}});
  if (f.bias) {
    out.push_back({Role::kGateBias, layer, {f.width}});
    out.push_back({Role::kUpBias, layer, {f.width}});
    out.push_back({Role::kDownBias, layer, {dim}});
  }
}

}  // namespace

std::string_view name(Role role) { return kNames[u8(role)].name; }

std::vector<TensorNeed> needed_tensors(const ModelSpec& spec) {
  std::vector<TensorNeed> out;
  out.push_back({Role::kEmbedding, 0, {spec.vocab, spec.dim}});
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    std::visit([&](const auto& a) { need_attention(a, spec.dim, i, out); },
               spec.layers[i].attention);
    std::visit([&](const auto& f) { need_ffn(f, spec.dim, i, out); }, spec.layers[i].ffn);
  }
  out.push_back({Role::kOutputNorm, 0, {spec.dim}});
  if (!spec.tied_output) out.push_back({Role::kOutput, 0, {spec.vocab, spec.dim}});
  if (spec.rope.divisors_in_file) out.push_back({Role::kRopeDivisors, 0, {spec.rope.dim / 2}});
  return out;
}

std::string tensor_name(checkpoint::Kind kind, Role role, u32 layer) {
  const RoleNames& row = kNames[u8(role)];
  const std::string_view pattern = kind == checkpoint::Kind::kGguf ? row.gguf : row.hugging_face;
  return fmt::format(fmt::runtime(pattern), layer);
}

bool is_ignored(checkpoint::Kind kind, std::string_view name) {
  // Older exports store the frequencies of every layer; they follow from the config.
  return kind == checkpoint::Kind::kHuggingFace && name.ends_with(".rotary_emb.inv_freq");
}

}  // namespace orrery::model
