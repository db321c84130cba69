// Choice: which files of a repository make up the model that was asked for.
//
// The same rule serves a listing from the server and a snapshot on disk, so that what was pulled by
// a name is found by it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orrery::hub {

struct Choice {
  bool gguf = false;
  std::vector<std::string> files;   // for GGUF all parts in order
  std::string quant;                // GGUF: the label of what was taken
  std::vector<std::string> others;  // GGUF: the labels of what else there was
  bool by_default = false;          // nobody named the quantisation and there were several
};

// Without `quant`: a folder of safetensors with config and tokenizer; else the only GGUF model, or
// Q4_K_M. With it: the GGUF model whose name holds it, or has exactly this name. An error lists
// what there is.
[[nodiscard]] Result<Choice> choose_files(std::span<const std::string> paths,
                                          std::string_view quant);

}  // namespace orrery::hub
