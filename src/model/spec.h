// ModelSpec: a model as data. It is the one description that everything reads: the forward pass
// (what is computed), the binder (which tensors must exist, with which shapes), the planner (bytes,
// FLOPs), the tests (small specs are generated, laws are checked) and the docs.
//
// A family is a function Config -> ModelSpec in families/; after it nobody knows the family's name.
// Fields are named after mathematical ideas, never after a model.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/types.h"

namespace orrery::model {

// Rotary position embedding (Su et al. 2021). Pair i of a head turns by position * frequency(i),
// with frequency(i) = base^(-2i / dim), changed by the scaling.
struct Rope {
  enum class Scaling : u8 {
    kNone,
    kLinear,       // every frequency divided by factor (Chen et al. 2023, position interpolation)
    kByWavelength  // three bands: long waves divided by factor, short ones kept, smooth between
  };
  f64 base = 10000;
  u32 dim = 0;  // how many of a head's values turn; the first `dim`
  Scaling scaling = Scaling::kNone;
  f64 factor = 1;
  f64 low_frequency_factor = 1, high_frequency_factor = 1;  // kByWavelength: where the bands lie
  u32 original_context = 0;                                 // kByWavelength: trained length
  bool divisors_in_file = false;  // the file carries divisors of the frequencies as a tensor
};

// Multi-head attention whose query heads share key/value heads in groups (Ainslie et al. 2023).
struct GroupedAttention {
  u32 heads = 0, kv_heads = 0, head_dim = 0;
  u32 window = 0;  // a query sees itself and the window - 1 keys before it; 0: all keys before it
  bool qkv_bias = false, output_bias = false;
  bool rope = true;
};

// down(silu(gate(x)) * up(x)) (Shazeer 2020).
struct DenseFfn {
  u32 width = 0;
  bool bias = false;
};

// A pre-norm block: x += attention(norm(x)); x += ffn(norm(x)).
struct LayerSpec {
  std::variant<GroupedAttention> attention;
  std::variant<DenseFfn> ffn;
};

struct ModelSpec {
  std::string family;  // for people only; no code decides by it
  u32 dim = 0;         // width of the residual stream
  u32 vocab = 0;
  u32 context = 0;  // positions that the model was trained for
  f32 norm_eps = 0;
  bool tied_output = false;  // the output matrix is the embedding
  Rope rope;
  std::vector<LayerSpec> layers;
  std::vector<i32> stop_tokens;  // ids that end a reply, beside the tokenizer's own
};

// What must hold before any kernel sees the numbers: sizes in range, heads in whole groups, no
// product that overflows. The error names the field.
[[nodiscard]] Result<void> check(const ModelSpec& spec);

// One number of the model, counted from the spec alone: every weight, the embedding once when tied.
[[nodiscard]] u64 parameter_count(const ModelSpec& spec);

}  // namespace orrery::model
