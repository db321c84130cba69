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

inline constexpr u32 kHeadDimMax = 1024;  // values of a head of keys or values

// Rotary position embedding (Su et al. 2021). Pair i of a head turns by position * frequency(i),
// with frequency(i) = base^(-2i / dim), changed by the scaling.
struct Rope {
  enum class Scaling : u8 {
    kNone,
    kLinear,        // every frequency divided by factor (Chen et al. 2023, position interpolation)
    kByWavelength,  // three bands: long waves divided by factor, short ones kept, smooth between
    kByLength,      // the base grows with the text beyond original_context ("dynamic NTK")
    kYarn,          // a ramp between kept and divided frequencies (Peng et al. 2023, YaRN)
    kTwoTables      // a divisor a pair: one table up to original_context, another beyond (LongRoPE)
  };
  f64 base = 10000;
  u32 dim = 0;  // how many of a head's values turn; the first `dim`
  Scaling scaling = Scaling::kNone;
  f64 factor = 1;
  u32 original_context = 0;  // trained length, where a scaling reads it
  f64 low_frequency_factor = 1, high_frequency_factor = 1;  // kByWavelength: where the bands lie
  f64 beta_fast = 32, beta_slow = 1;  // kYarn: turns over original_context where the ramp lies
  bool whole_pairs = true;            // kYarn: the ramp begins and ends at whole pairs
  f64 magnitude = 1;                  // cosines and sines are multiplied by it
  std::vector<f64> short_divisors, long_divisors;  // kTwoTables: [dim / 2]
  bool divisors_in_file = false;  // the file carries divisors of the frequencies as a tensor

  // Whether the frequencies change as a text grows.
  [[nodiscard]] bool depends_on_length() const {
    return scaling == Scaling::kByLength || scaling == Scaling::kTwoTables;
  }
};

// Queries grow with their position: q *= 1 + scale * ln(1 + floor((position + offset) / length))
// (Nakanishi 2025, scalable softmax). scale 0: they do not.
struct QueryTemperature {
  f32 scale = 0;
  u32 length = 1, offset = 0;
};

enum class QkNorm : u8 {
  kNone,
  kBeforeRope,     // RMS norm of each head of queries and keys, with weights [head_dim]
  kPlainAfterRope  // without weights, on heads that are turned already
};

// Multi-head attention whose query heads share key/value heads in groups (Ainslie et al. 2023).
struct GroupedAttention {
  u32 heads = 0, kv_heads = 0, head_dim = 0;
  u32 window = 0;  // a query sees itself and the window - 1 keys before it; 0: all keys before it
  u32 chunk = 0;   // a query sees the keys of its own aligned chunk up to itself; 0: of all
  u32 pinned = 0;  // the first keys are seen whatever the window (Xiao et al. 2023). No file says
                   // so: it is what the Explorer tries
  bool qkv_bias = false, output_bias = false;
  bool rope = true;
  QkNorm qk_norm = QkNorm::kNone;
  bool gate = false;   // what a head read is multiplied by sigmoid(gate(x)) (Qiu et al. 2025)
  bool sinks = false;  // a learned logit a head joins the softmax's sum (Xiao et al. 2023)
  QueryTemperature temperature = {};
};

// Picks, for each query, the keys that attention may look at: the keys_max best of
// sum over heads of weight(x) * relu(query . key) (DeepSeek-V3.2, 2025). heads 0: none.
struct KeyIndexer {
  u32 heads = 0, head_dim = 0, keys_max = 0;
  bool reuses = false;  // the layer has no indexer; the choice of the one before it stands
  [[nodiscard]] bool chooses() const { return heads != 0 && !reuses; }
};

// Multi-head latent attention (DeepSeek-V2, 2024): keys and values of all heads are expanded from
// one latent a token, beside one rotary key that the heads share. The cache holds latent and rotary
// key only.
struct LatentAttention {
  u32 heads = 0;
  u32 query_rank = 0;  // queries come from a normed latent of this size; 0: from x itself
  u32 kv_rank = 0, nope_dim = 0, rope_dim = 0, value_dim = 0;
  f32 scale = 0;      // of the softmax
  bool bias = false;  // of the projections that read x, and of the output's
  KeyIndexer indexer = {};
  QueryTemperature temperature = {};
  [[nodiscard]] u32 query_dim() const { return nope_dim + rope_dim; }
  [[nodiscard]] u32 cached_dim() const { return kv_rank + rope_dim; }
};

// Gated delta rule (Yang et al. 2024): a linear attention whose state [key_dim, value_dim] a head
// decays, forgets what a key held and stores its new value. A short convolution along the text
// comes before it.
struct DeltaNet {
  u32 key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0, conv_width = 0;
  // Value heads share key heads in neighbouring groups, or (strided) those key_heads apart do.
  bool strided_groups = false;
  [[nodiscard]] u32 key_head(u32 value_head) const {
    return strided_groups ? value_head % key_heads : value_head / (value_heads / key_heads);
  }
  [[nodiscard]] u32 key_size() const { return key_heads * key_dim; }
  [[nodiscard]] u32 value_size() const { return value_heads * value_dim; }
  [[nodiscard]] u32 conv_channels() const { return 2 * key_size() + value_size(); }
};

// The gated unit of a feed-forward: gate * sigmoid(alpha * gate) * (up + shift), with gate and up
// held below `limit` first (0: they are not). The defaults are SwiGLU (Shazeer 2020).
struct GatedUnit {
  f32 limit = 0, alpha = 1, shift = 0;
  [[nodiscard]] bool is_swiglu() const { return limit == 0 && alpha == 1 && shift == 0; }
};

// down(unit(gate(x), up(x))).
struct DenseFfn {
  u32 width = 0;
  bool bias = false;
  GatedUnit unit = {};
};

// Which experts a token goes to and with which weights: scores of all experts, a choice of the
// `active` best (by score + selection bias, in the best groups), weights from the scores.
struct Router {
  enum class Score : u8 { kSoftmax, kSigmoid };
  enum class GroupScore : u8 { kBest, kBestTwo };  // of a group: its best score, or its two best
  Score score = Score::kSoftmax;
  bool bias = false;            // of the router's own matrix
  bool selection_bias = false;  // joins the choice but not the weights
  bool renormalize = false;     // the chosen weights are divided by their sum
  f32 scale = 1;                // and then multiplied by this
  u32 groups = 1, groups_kept = 1;
  GroupScore group_score = GroupScore::kBestTwo;
  bool weighs_input = false;  // the weight multiplies what an expert reads, not what it gives
};

// A mixture of gated experts (Shazeer et al. 2017; Fedus et al. 2021), with an expert that every
// token visits where shared_width is not 0.
struct ExpertFfn {
  u32 experts = 0, active = 0, width = 0;
  u32 shared_width = 0;
  bool shared_gate = false;  // the shared expert's output is multiplied by sigmoid(gate . x)
  bool bias = false;         // of the experts' matrices
  GatedUnit unit = {};
  Router router = {};
};

using Attention = std::variant<GroupedAttention, LatentAttention, DeltaNet>;
using Ffn = std::variant<DenseFfn, ExpertFfn>;

// A pre-norm block: x += attention(norm(x)); x += ffn(norm(x)).
struct LayerSpec {
  Attention attention;
  Ffn ffn;
};

struct ModelSpec {
  std::string family;  // for people only; no code decides by it
  u32 dim = 0;         // width of the residual stream
  u32 vocab = 0;
  u32 context = 0;  // positions that the model was trained for
  f32 norm_eps = 0;
  bool tied_output = false;  // the output matrix is the embedding
  Rope rope = {};
  std::vector<LayerSpec> layers;
  u32 prediction_layers = 0;     // further layers in the file that guess ahead; not computed
  std::vector<i32> stop_tokens;  // ids that end a reply, beside the tokenizer's own
};

// The norms inside latent attention and of the indexer have an epsilon of their own.
inline constexpr f32 kLatentNormEps = 1e-6f;

// What must hold before any kernel sees the numbers: sizes in range, heads in whole groups, no
// product that overflows. The error names the field.
[[nodiscard]] Result<void> check(const ModelSpec& spec);

// One number of the model, counted from the spec alone: every weight, the embedding once when tied.
[[nodiscard]] u64 parameter_count(const ModelSpec& spec);
// Of these, how many one token meets: all but the experts that it does not visit.
[[nodiscard]] u64 active_parameter_count(const ModelSpec& spec);

}  // namespace orrery::model
