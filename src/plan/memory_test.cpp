// Bytes from a spec against published figures of published models.
#include "plan/memory.h"

#include <gtest/gtest.h>

namespace orrery::plan {
namespace {

struct Published {
  const char* name;
  u32 layers, dim, heads, kv_heads, head_dim, width, vocab;
  bool qkv_bias;
  u64 parameters;
  u64 kv_bytes_f16;  // a token
};

// Shapes from the models' config.json; parameter counts as their makers' tensors add up.
constexpr Published kPublished[] = {
    {"Llama-3-8B", 32, 4096, 32, 8, 128, 14336, 128256, false, 8'030'261'248, 131'072},
    {"Mistral-7B-v0.1", 32, 4096, 32, 8, 128, 14336, 32000, false, 7'241'732'096, 131'072},
    {"Qwen2.5-7B", 28, 3584, 28, 4, 128, 18944, 152064, true, 7'615'616'512, 57'344},
};

model::ModelSpec spec_of(const Published& p) {
  model::ModelSpec spec;
  spec.dim = p.dim;
  spec.vocab = p.vocab;
  model::GroupedAttention a;
  a.heads = p.heads;
  a.kv_heads = p.kv_heads;
  a.head_dim = p.head_dim;
  a.qkv_bias = p.qkv_bias;
  spec.layers.assign(p.layers, model::LayerSpec{a, model::DenseFfn{.width = p.width}});
  return spec;
}

TEST(Memory, ParametersAndKvAreThePublishedOnes) {
  for (const Published& p : kPublished) {
    const model::ModelSpec spec = spec_of(p);
    EXPECT_EQ(model::parameter_count(spec), p.parameters) << p.name;
    EXPECT_EQ(kv_bytes_per_token(spec, kernels::KvFormat::kF16), p.kv_bytes_f16) << p.name;
    EXPECT_EQ(kv_bytes_per_token(spec, kernels::KvFormat::kF32), 2 * p.kv_bytes_f16) << p.name;
  }
}

// These shapes need no padding, so float32 weights are four bytes a parameter.
TEST(Memory, PackedFloatsAreFourBytesAParameter) {
  for (const Published& p : kPublished)
    EXPECT_EQ(packed_weights_bytes(spec_of(p), kernels::Layout::kF32), 4 * p.parameters) << p.name;
}

}  // namespace
}  // namespace orrery::plan
