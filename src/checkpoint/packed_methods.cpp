// GPTQ, AWQ and the packed form of compressed-tensors: their settings and the names of their parts.
#include <algorithm>
#include <cstring>

#include "checkpoint/names.h"
#include "checkpoint/packed_integers.h"
#include "checkpoint/quantized.h"

namespace orrery::checkpoint {
namespace {

constexpr std::string_view kPrefix = "quantization_config.";

std::string key_of(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

// Keys that say how the file was made.
void mark(const Config& config, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) (void)config.find(key_of(name));
}

Result<u32> read_bits(const Config& config, const std::string& key) {
  TRY(const u32 bits, config.require_u32(key, 1, 32));
  if (bits != 4 && bits != 8)
    return fail("config key {} is {}, only 4 and 8 bits are supported", shown(key), bits);
  return bits;
}

// -1 stands for a whole row.
Result<u64> read_group(const Config& config, const std::string& key) {
  TRY(const std::optional<i64> group, config.get_integer(key));
  if (!group) return fail("config key {} is missing", shown(key));
  if (*group != -1 && *group < 1) return fail("config key {} is {}", shown(key), *group);
  return *group == -1 ? ~u64(0) : u64(*group);
}

Result<std::string> read_choice(const Config& config, std::string_view name,
                                std::string_view otherwise) {
  TRY(const std::optional<std::string> value, config.get_string(key_of(name)));
  std::string lower(value ? std::string_view(*value) : otherwise);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return lower;
}

Result<void> join(Parts& parts, const std::string& stem, PackedIntegers packed) {
  packed.group = std::min(packed.group, std::max<u64>(packed.cols, 1));
  TRY(std::shared_ptr<const Encoding> encoding, make_encoding(packed));
  TensorView joined{stem + std::string(kWeight), packed.words->format,
                    {packed.rows, packed.cols},  {},
                    packed.words->file,          std::move(encoding)};
  parts.replace({packed.words, packed.scales, packed.zeros, packed.groups}, std::move(joined));
  return {};
}

Result<const TensorView*> require_matrix(const Parts& parts, const std::string& name) {
  TRY(const TensorView* tensor, parts.require(name, Format::kI32));
  if (tensor->shape.size() != 2)
    return fail("tensor {} has the shape {}, a matrix was expected", shown(name),
                shape_text(tensor->shape));
  return tensor;
}

Result<const TensorView*> require_scales(const Parts& parts, const std::string& name) {
  const TensorView* scales = parts.find(name);
  if (!scales)
    return fail("tensor {} is missing, but other parts of its matrix are there", shown(name));
  return scales;
}

// Other widths for some layers; only "not at all" ("-:") shows in the tensors.
Result<void> check_dynamic(const Config& config) {
  const Value* value = config.find(key_of("dynamic"));
  if (!value) return {};
  const Object* rules = std::get_if<Object>(&value->data);
  if (!rules)
    return value->is_null() ? Result<void>() : fail("config key '{}dynamic' is no object", kPrefix);
  for (const auto& [rule, settings] : *rules)
    if (!rule.starts_with("-:"))
      return fail(
          "config key '{}dynamic': the rule {} is not supported, only layers left alone (-:)",
          kPrefix, shown(rule));
  return {};
}

struct GptqSettings {
  u32 bits, zero_words_added;
  u64 group;
  bool act_order;
};

Result<GptqSettings> read_gptq(const Config& config) {
  TRY(const u32 bits, read_bits(config, key_of("bits")));
  TRY(const u64 group, read_group(config, key_of("group_size")));
  TRY(const bool act_order, config.bool_or(key_of("desc_act"), false));
  TRY(const std::string format, read_choice(config, "checkpoint_format", "gptq"));
  if (format != "gptq" && format != "gptq_v2")
    return fail("config key '{}checkpoint_format' is {}, supported: gptq, gptq_v2", kPrefix,
                shown(format));
  TRY(const std::string words, read_choice(config, "pack_dtype", "int32"));
  if (words != "int32")
    return fail("config key '{}pack_dtype' is {}, supported: int32", kPrefix, shown(words));
  TRY(const bool marlin, config.bool_or(key_of("is_marlin_format"), false));
  if (marlin) return fail("GPTQ in Marlin's order is not supported");
  CHECK_OK(check_dynamic(config));
  mark(config, {"sym",
                "damp_percent",
                "damp_auto_increment",
                "true_sequential",
                "static_groups",
                "model_name_or_path",
                "model_file_base_name",
                "tokenizer",
                "dataset",
                "model_seqlen",
                "batch_size",
                "pad_token_id",
                "use_cuda_fp16",
                "module_name_preceding_first_block",
                "modules_in_block_to_quantize",
                "block_name_to_quantize",
                "lm_head",
                "meta",
                "act_group_aware",
                "hyb_act",
                "mse",
                "quantizer",
                "method",
                "format"});
  const u32 ones = bits == 4 ? 0x11111111 : 0x01010101;
  return GptqSettings{bits, format == "gptq" ? ones : 0, group, act_order};
}

}  // namespace

Result<void> join_gptq(const Config& config, Parts& parts) {
  TRY(const GptqSettings settings, read_gptq(config));
  for (const std::string& stem : parts.stems(".qweight")) {
    TRY(const TensorView* words, require_matrix(parts, stem + ".qweight"));
    TRY(const TensorView* scales, require_scales(parts, stem + ".scales"));
    TRY(const TensorView* zeros, require_matrix(parts, stem + ".qzeros"));
    const TensorView* groups = parts.find(stem + ".g_idx");
    if (groups || settings.act_order) {
      TRY(groups, parts.require(stem + ".g_idx", Format::kI32));
    }
    const u64 in_word = 32 / settings.bits;
    CHECK_OK(join(parts, stem,
                  {WordOrder::kColumns, settings.bits, settings.zero_words_added, words->shape[1],
                   words->shape[0] * in_word, settings.group, words, scales, zeros, groups}));
  }
  return parts.check_none_left({".qzeros", ".scales", ".g_idx"});
}

Result<void> join_awq(const Config& config, Parts& parts) {
  TRY(const u32 bits, read_bits(config, key_of("bits")));
  TRY(const u64 group, read_group(config, key_of("group_size")));
  TRY(const bool zero_point, config.bool_or(key_of("zero_point"), true));
  TRY(const std::string version, read_choice(config, "version", "gemm"));
  TRY(const std::string format, read_choice(config, "format", "gemm"));
  if (bits != 4 || !zero_point || version != "gemm" || format != "gemm")
    return fail("AWQ is supported with 4 bits, zero points and the order 'gemm' only");
  mark(config, {"q_group_size", "w_bit", "fuse_max_seq_len", "do_fuse", "modules_to_fuse", "meta"});
  for (const std::string& stem : parts.stems(".qweight")) {
    TRY(const TensorView* words, require_matrix(parts, stem + ".qweight"));
    TRY(const TensorView* scales, require_scales(parts, stem + ".scales"));
    TRY(const TensorView* zeros, require_matrix(parts, stem + ".qzeros"));
    CHECK_OK(join(parts, stem,
                  {WordOrder::kRowsInterleaved, 4, 0, words->shape[1] * 8, words->shape[0], group,
                   words, scales, zeros}));
  }
  return parts.check_none_left({".qzeros", ".scales"});
}

Result<void> join_packed_rows(const Config& config, const std::string& weights, Parts& parts) {
  TRY(const u32 bits, read_bits(config, weights + "num_bits"));
  TRY(const std::optional<i64> size, config.get_integer(weights + "group_size"));
  if (size && *size < 1 && *size != -1)
    return fail("config key {} is {}", shown(weights + "group_size"), *size);
  const u64 group = size && *size > 0 ? u64(*size) : ~u64(0);
  TRY(const bool symmetric, config.bool_or(weights + "symmetric", true));
  for (const std::string& stem : parts.stems(".weight_packed")) {
    TRY(const TensorView* words, require_matrix(parts, stem + ".weight_packed"));
    TRY(const TensorView* scales, require_scales(parts, stem + ".weight_scale"));
    TRY(const TensorView* sizes, parts.require(stem + ".weight_shape", Format::kI64, {2}));
    const u64 rows = words->shape[0];
    u64 cols = 0;
    std::memcpy(&cols, sizes->bytes.data() + sizeof(u64), sizeof cols);
    if (divide_up(std::min(cols, ~u64(0) / 2), u64(32 / bits)) != words->shape[1])
      return fail("tensor {} says {} columns, but {} has the shape {}", shown(sizes->name), cols,
                  shown(words->name), shape_text(words->shape));
    const TensorView* zeros = nullptr;
    if (!symmetric) {
      TRY(zeros, require_matrix(parts, stem + ".weight_zero_point"));
    }
    const TensorView* groups = parts.find(stem + ".weight_g_idx");
    if (groups) {
      TRY(groups, parts.require(stem + ".weight_g_idx", Format::kI32));
    }
    CHECK_OK(join(parts, stem,
                  {WordOrder::kRows, bits, 0, rows, cols, group, words, scales, zeros, groups}));
    parts.drop(*sizes);
  }
  return parts.check_none_left({".weight_scale", ".weight_zero_point", ".weight_shape"});
}

}  // namespace orrery::checkpoint
