#include "model/tensors.h"

namespace orrery::model {
namespace {

struct RoleRow {
  std::string_view name;
  Form form;
};
constexpr RoleRow kRoles[] = {
#define ORRERY_ROLE(id, name, form) {name, Form::form},
#include "model/roles.def"
#undef ORRERY_ROLE
};

// Appends needs of one layer.
class LayerNeeds {
 public:
  LayerNeeds(std::vector<TensorNeed>& out, u64 dim, u32 layer)
      : out_(out), dim_(dim), layer_(layer) {}

  void operator()(const GroupedAttention& a) {
    const u64 q = u64(a.heads) * a.head_dim, kv = u64(a.kv_heads) * a.head_dim;
    need(Role::kAttentionNorm, {dim_});
    need(Role::kQuery, {q, dim_});
    need(Role::kKey, {kv, dim_});
    need(Role::kValue, {kv, dim_});
    if (a.gate) need(Role::kAttentionGate, {q, dim_});
    need(Role::kAttentionOutput, {dim_, q});
    if (a.qkv_bias) {
      need(Role::kQueryBias, {q});
      need(Role::kKeyBias, {kv});
      need(Role::kValueBias, {kv});
      if (a.gate) need(Role::kAttentionGateBias, {q});
    }
    if (a.output_bias) need(Role::kAttentionOutputBias, {dim_});
    if (a.qk_norm == QkNorm::kBeforeRope) {
      need(Role::kQueryNorm, {a.head_dim});
      need(Role::kKeyNorm, {a.head_dim});
    }
    if (a.sinks) need(Role::kSinks, {a.heads});
  }

  void operator()(const LatentAttention& a) {
    const u64 q = u64(a.heads) * a.query_dim();
    need(Role::kAttentionNorm, {dim_});
    if (a.query_rank) {
      need(Role::kQueryDown, {a.query_rank, dim_});
      if (a.bias) need(Role::kQueryDownBias, {a.query_rank});
      need(Role::kQueryDownNorm, {a.query_rank});
      need(Role::kQueryUp, {q, a.query_rank});
    } else {
      need(Role::kQuery, {q, dim_});
    }
    need(Role::kLatentDown, {a.cached_dim(), dim_});
    if (a.bias) need(Role::kLatentDownBias, {a.cached_dim()});
    need(Role::kLatentNorm, {a.kv_rank});
    need(Role::kLatentKey, {a.heads, a.kv_rank, a.nope_dim});
    need(Role::kLatentValue, {a.heads, a.value_dim, a.kv_rank});
    need(Role::kAttentionOutput, {dim_, u64(a.heads) * a.value_dim});
    if (a.bias) need(Role::kAttentionOutputBias, {dim_});
    if (const KeyIndexer& x = a.indexer; x.chooses()) {
      need(Role::kIndexQuery, {u64(x.heads) * x.head_dim, a.query_rank});
      need(Role::kIndexKey, {x.head_dim, dim_});
      need(Role::kIndexKeyNorm, {x.head_dim});
      need(Role::kIndexKeyNormBias, {x.head_dim});
      need(Role::kIndexWeights, {x.heads, dim_});
    }
  }

  void operator()(const DeltaNet& d) {
    need(Role::kAttentionNorm, {dim_});
    need(Role::kDeltaQuery, {d.key_size(), dim_});
    need(Role::kDeltaKey, {d.key_size(), dim_});
    need(Role::kDeltaValue, {d.value_size(), dim_});
    need(Role::kDeltaGate, {d.value_size(), dim_});
    need(Role::kDeltaBeta, {d.value_heads, dim_});
    need(Role::kDeltaStep, {d.value_heads, dim_});
    need(Role::kDeltaStepBias, {d.value_heads});
    need(Role::kDeltaRate, {d.value_heads});
    need(Role::kDeltaConv, {d.conv_channels(), d.conv_width});
    need(Role::kDeltaNorm, {d.value_dim});
    need(Role::kDeltaOutput, {dim_, d.value_size()});
  }

  void operator()(const DenseFfn& f) {
    need(Role::kFfnNorm, {dim_});
    need(Role::kGate, {f.width, dim_});
    need(Role::kUp, {f.width, dim_});
    need(Role::kDown, {dim_, f.width});
    if (f.bias) {
      need(Role::kGateBias, {f.width});
      need(Role::kUpBias, {f.width});
      need(Role::kDownBias, {dim_});
    }
  }

  void operator()(const ExpertFfn& f) {
    need(Role::kFfnNorm, {dim_});
    need(Role::kRouter, {f.experts, dim_});
    if (f.router.bias) need(Role::kRouterBias, {f.experts});
    if (f.router.selection_bias) need(Role::kSelectionBias, {f.experts});
    need(Role::kExpertGate, {f.experts, f.width, dim_});
    need(Role::kExpertUp, {f.experts, f.width, dim_});
    need(Role::kExpertDown, {f.experts, dim_, f.width});
    if (f.bias) {
      need(Role::kExpertGateBias, {f.experts, f.width});
      need(Role::kExpertUpBias, {f.experts, f.width});
      need(Role::kExpertDownBias, {f.experts, dim_});
    }
    if (f.shared_width) {
      need(Role::kSharedGate, {f.shared_width, dim_});
      need(Role::kSharedUp, {f.shared_width, dim_});
      need(Role::kSharedDown, {dim_, f.shared_width});
      if (f.shared_gate) need(Role::kSharedRouter, {1, dim_});
    }
  }

 private:
  void need(Role role, std::vector<u64> shape) { out_.push_back({role, layer_, std::move(shape)}); }

  std::vector<TensorNeed>& out_;
  u64 dim_;
  u32 layer_;
};

}  // namespace

std::string_view name(Role role) { return kRoles[u8(role)].name; }
Form form(Role role) { return kRoles[u8(role)].form; }

bool keeps_f32(Role role) {
  return role == Role::kRouter || role == Role::kSharedRouter || role == Role::kIndexWeights ||
         role == Role::kDeltaBeta || role == Role::kDeltaStep;
}

f64 share_met(const ModelSpec& spec, Role role, u32 layer) {
  switch (role) {
    case Role::kExpertGate:
    case Role::kExpertUp:
    case Role::kExpertDown:
    case Role::kExpertGateBias:
    case Role::kExpertUpBias:
    case Role::kExpertDownBias: {
      const auto& f = std::get<ExpertFfn>(spec.layers[layer].ffn);
      return f64(f.active) / f.experts;
    }
    default:
      return 1;
  }
}

u64 TensorNeed::values() const {
  u64 product = 1;
  for (u64 n : shape) product *= n;
  return product;
}

std::vector<TensorNeed> needed_tensors(const ModelSpec& spec) {
  std::vector<TensorNeed> out;
  out.push_back({Role::kEmbedding, 0, {spec.vocab, spec.dim}});
  for (u32 i = 0; i < spec.layers.size(); ++i) {
    LayerNeeds needs(out, spec.dim, i);
    std::visit(needs, spec.layers[i].attention);
    std::visit(needs, spec.layers[i].ffn);
  }
  out.push_back({Role::kOutputNorm, 0, {spec.dim}});
  if (!spec.tied_output) out.push_back({Role::kOutput, 0, {spec.vocab, spec.dim}});
  if (spec.rope.divisors_in_file) out.push_back({Role::kRopeDivisors, 0, {spec.rope.dim / 2}});
  return out;
}

}  // namespace orrery::model
