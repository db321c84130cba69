// Ladder: one computation, climbed from the plainest way to the one that Orrery uses, one idea a
// rung. All rungs of a ladder write the same outputs and are checked against the first.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/huge_buffer.h"
#include "kernels/kernels.h"

namespace orrery::ladder {

struct Rung {
  std::string_view name, idea;
  std::function<void(f32* out)> run;
};

struct Ladder {
  std::string name, what;
  f64 operations;  // of one run: a multiplication and an addition are two
  u64 outputs;     // floats
  f64 tolerance;   // largest difference to the first rung, in parts of the mean magnitude
  std::vector<Rung> rungs;
};

[[nodiscard]] Result<Ladder> matrix_vector(const kernels::Kernels& kernels);
[[nodiscard]] Result<Ladder> matrix_matrix(const kernels::Kernels& kernels);
[[nodiscard]] Result<Ladder> attention_prompt(const kernels::Kernels& kernels);
[[nodiscard]] Result<Ladder> attention_token(const kernels::Kernels& kernels);
[[nodiscard]] Result<Ladder> experts(const kernels::Kernels& kernels);

// A Q4_1 matrix (4 bits a weight, a scale and a min for each 32) in the three forms that rungs
// start from, and activations [columns][cols] for it.
struct Weights {
  u32 rows, cols;
  std::vector<u8> file;          // [rows][cols / 32][d f16, m f16, 16 bytes of nibbles]
  std::vector<f32> floats;       // [rows][cols], decoded
  kernels::PackedMatrix packed;  // the layout of docs/formats/packed.md
  HugeBuffer memory;
};
[[nodiscard]] Result<std::shared_ptr<Weights>> make_weights(u32 rows, u32 cols, u32 seed);

struct Inputs {
  u32 columns;
  std::vector<f32> floats;  // [columns][cols]
  kernels::Activations quantized;
  HugeBuffer memory;
};
[[nodiscard]] Result<std::shared_ptr<Inputs>> make_inputs(const kernels::Kernels& kernels, u32 cols,
                                                          u32 columns);

inline constexpr u32 kFileBlock = 20;  // bytes of 32 weights
// The f16 at `from`, as a float.
[[nodiscard]] f32 half_at(const u8* from);

}  // namespace orrery::ladder
