// Quantised checkpoints of the Hugging Face kind, where a matrix is spread over several tensors:
// each such matrix becomes one view with an Encoding. docs/formats/quantized.md has the bytes.
#pragma once

#include "checkpoint/parts.h"

namespace orrery::checkpoint {

// What `quantization_config` says of the way of quantising is read from `config`; what is not
// understood and changes the weights is an error. Checkpoints without any stay as they are.
[[nodiscard]] Result<std::vector<TensorView>> join_quantized(const Config& config,
                                                             const std::vector<TensorView>& parts);

// One method each: joins what it finds.
[[nodiscard]] Result<void> join_block_scaled(const Config& config, Parts& parts);
[[nodiscard]] Result<void> join_compressed(const Config& config, Parts& parts);
[[nodiscard]] Result<void> join_int8_rows(Parts& parts);  // a part of bitsandbytes
[[nodiscard]] Result<void> join_bitsandbytes(const Config& config, Parts& parts);
[[nodiscard]] Result<void> join_gptq(const Config& config, Parts& parts);
[[nodiscard]] Result<void> join_awq(const Config& config, Parts& parts);
// A part of compressed-tensors; `weights`: where the config's keys of the weights begin.
[[nodiscard]] Result<void> join_packed_rows(const Config& config, const std::string& weights,
                                            Parts& parts);
[[nodiscard]] Result<void> join_mxfp4(const Config& config, Parts& parts);

}  // namespace orrery::checkpoint
