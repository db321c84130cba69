#include "checkpoint/quantized.h"

#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

using Join = Result<void> (*)(const Config& config, Parts& parts);

struct Method {
  std::string_view name;
  Join join;
};
constexpr Method kMethods[] = {
    {"fp8", join_block_scaled},
    {"fbgemm_fp8", join_block_scaled},
    {"compressed-tensors", join_compressed},
    {"bitsandbytes", join_bitsandbytes},
    {"gptq", join_gptq},
    {"awq", join_awq},
    {"mxfp4", join_mxfp4},
};

// Old files of bitsandbytes name no method, only what to load.
Result<std::string> method_name(const Config& config) {
  TRY(std::optional<std::string> name, config.get_string("quantization_config.quant_method"));
  if (name) return std::move(*name);
  if (config.has("quantization_config.load_in_4bit") ||
      config.has("quantization_config.load_in_8bit"))
    return "bitsandbytes";
  return fail("config key 'quantization_config.quant_method' is missing");
}

// Which layers were left alone shows in the tensors; the rest is about making the file or about
// running it on other machines.
void mark_keys_that_change_nothing(const Config& config) {
  for (const std::string_view key :
       {"modules_to_not_convert", "modules_to_convert", "ignored_layers", "ignore", "dequantize",
        "backend", "quantization_status", "use_exllama", "exllama_config", "max_input_length",
        "cache_block_outputs"})
    (void)config.find(fmt::format("quantization_config.{}", key));
}

}  // namespace

Result<std::vector<TensorView>> join_quantized(const Config& config,
                                               const std::vector<TensorView>& tensors) {
  Parts parts(tensors);
  if (!config.has("quantization_config")) {
    // The one kind whose tensors say everything.
    CHECK_OK(join_mxfp4(config, parts));
    return parts.result();
  }
  TRY(const std::string name, method_name(config));
  mark_keys_that_change_nothing(config);
  for (const Method& method : kMethods) {
    if (method.name != name) continue;
    CHECK_OK(method.join(config, parts));
    return parts.result();
  }
  return fail(
      "quantisation by {} is not supported (bitsandbytes, gptq, awq, fp8, fbgemm_fp8, mxfp4 and "
      "compressed-tensors are)",
      shown(name));
}

}  // namespace orrery::checkpoint
