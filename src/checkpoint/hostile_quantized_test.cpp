// Quantised folders that lie: a part missing, of another shape or type, settings that cannot be,
// JSON that is none, scales that are no numbers. Each ends in one error line that names the
// culprit, when the folder is opened or when the row is read.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/half.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/test_files.h"

namespace orrery::checkpoint {
namespace {

using testing::TemporaryFolder;

struct Tensor {
  std::string dtype;
  std::vector<u64> shape;
  std::string bytes;
};
using Tensors = std::map<std::string, Tensor>;

u64 value_bytes(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "F32" || dtype == "I32") return 4;
  return dtype == "F16" || dtype == "BF16" || dtype == "I16" ? 2 : 1;
}

Tensor filled(const std::string& dtype, std::vector<u64> shape, u8 byte = 0) {
  u64 bytes = value_bytes(dtype);
  for (const u64 size : shape) bytes *= size;
  return {dtype, std::move(shape), std::string(bytes, char(byte))};
}

template <typename T>
Tensor values(const std::string& dtype, std::vector<u64> shape, std::vector<T> list) {
  return {dtype, std::move(shape),
          std::string(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(T))};
}

Tensor text(std::string_view json) { return {"U8", {json.size()}, std::string(json)}; }

std::string file_of(const Tensors& tensors) {
  std::string header = "{", data;
  for (const auto& [name, tensor] : tensors) {
    header +=
        fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                    data.empty() && header.size() == 1 ? "" : ",", name, tensor.dtype,
                    fmt::join(tensor.shape, ","), data.size(), data.size() + tensor.bytes.size());
    data += tensor.bytes;
  }
  testing::Raw raw;
  return raw.string(header + "}").bytes + data;
}

struct Honest {
  std::string config;  // the object quantization_config
  Tensors tensors;
};

// One folder of each method that opens and can be read: 8 rows, 64 columns.
Honest fp8() {
  return {R"({"quant_method": "fp8", "weight_block_size": [4, 48]})",
          {{"x.weight", filled("F8_E4M3", {8, 64}, 0x38)},
           {"x.weight_scale_inv", values<f32>("F32", {2, 2}, {1, 2, 3, 4})}}};
}
Honest mxfp4() {
  return {R"({"quant_method": "mxfp4"})",
          {{"x_blocks", filled("U8", {2, 4, 2, 16}, 0x21)},
           {"x_scales", filled("U8", {2, 4, 2}, 127)}}};
}
constexpr std::string_view kState =
    R"({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [8, 64],
        "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.5})";
Honest nf4() {
  return {R"({"quant_method": "bitsandbytes", "load_in_4bit": true})",
          {{"x.weight", filled("U8", {256, 1}, 0x21)},
           {"x.weight.absmax", filled("U8", {8}, 3)},
           {"x.weight.quant_map", filled("F32", {16})},
           {"x.weight.nested_absmax", filled("F32", {1})},
           {"x.weight.nested_quant_map", filled("F32", {256})},
           {"x.weight.quant_state.bitsandbytes__nf4", text(kState)}}};
}
Honest int8() {
  return {R"({"load_in_8bit": true})",
          {{"x.weight", filled("I8", {8, 64}, 0x80)},
           {"x.SCB", filled("F32", {8})},
           {"x.weight_format", filled("U8", {})}}};
}
Honest gptq() {
  return {R"({"quant_method": "gptq", "bits": 4, "group_size": 32})",
          {{"x.qweight", filled("I32", {8, 8}, 0x21)},
           {"x.qzeros", filled("I32", {2, 1}, 0x77)},
           {"x.scales", filled("F16", {2, 8}, 0x11)},
           {"x.g_idx", filled("I32", {64})}}};
}
Honest awq() {
  return {R"({"quant_method": "awq", "bits": 4, "group_size": 32})",
          {{"x.qweight", filled("I32", {64, 1}, 0x21)},
           {"x.qzeros", filled("I32", {2, 1}, 0x77)},
           {"x.scales", filled("F16", {2, 8}, 0x11)}}};
}
std::string compressed_config(std::string_view format, std::string_view weights) {
  return fmt::format(
      R"({{"quant_method": "compressed-tensors", "format": "{}", "config_groups": {{"group_0":
          {{"weights": {{{}}}}}}}}})",
      format, weights);
}
Honest packed() {
  return {
      compressed_config("pack-quantized", R"("num_bits": 4, "group_size": 32, "symmetric": false)"),
      {{"x.weight_packed", filled("I32", {8, 8}, 0x21)},
       {"x.weight_scale", filled("F16", {8, 2}, 0x11)},
       {"x.weight_zero_point", filled("I32", {1, 2}, 0x88)},
       {"x.weight_shape", values<i64>("I64", {2}, {8, 64})}}};
}

void write(const TemporaryFolder& folder, const Honest& files) {
  folder.write("config.json", fmt::format(R"({{"quantization_config": {}}})", files.config));
  folder.write("model.safetensors", file_of(files.tensors));
}

struct Lie {
  Honest (*honest)();
  std::function<void(Honest&)> tell;
  std::string_view reason;  // a part of the error that it must get
};
auto replace(std::string name, Tensor tensor) {
  return [name, tensor](Honest& files) { files.tensors[name] = tensor; };
}
auto remove(std::string name) {
  return [name](Honest& files) { files.tensors.erase(name); };
}
auto config(std::string json) {
  return [json](Honest& files) { files.config = json; };
}
auto state(std::string json) {
  return replace("x.weight.quant_state.bitsandbytes__nf4", text(json));
}
// The honest state with one value exchanged.
auto state_with(std::string_view from, std::string_view to) {
  std::string json(kState);
  return state(json.replace(json.find(from), from.size(), to));
}

std::vector<Lie> config_lies() {
  return {
      {fp8, config("5"), "is missing"},
      {fp8, config("{}"), "'quantization_config.quant_method' is missing"},
      {fp8, config(R"({"quant_method": 8})"), "is an integer, not a string"},
      {fp8, config(R"({"quant_method": "magic\n"})"), "by 'magic\\x0a' is not supported"},
      {fp8, config(R"({"quant_method": "fp8", "fmt": "e3m4"})"), "'e3m4', supported: e4m3"},
      {fp8, config(R"({"quant_method": "fp8", "scale_fmt": "x"})"), "scale_fmt"},
      {fp8, config(R"({"quant_method": "fp8", "expert_dtype": "fp4"})"), "expert_dtype"},
      {fp8, config(R"({"quant_method": "fp8", "activation_scheme": "x"})"), "activation_scheme"},
      {fp8, config(R"({"quant_method": "fp8", "weight_block_size": [0, 48]})"),
       "no size of a block"},
      {fp8, config(R"({"quant_method": "fp8", "weight_block_size": [4]})"), "no size of a block"},
      {fp8, config(R"({"quant_method": "fp8", "weight_block_size": [4, -1]})"), "no size of a"},
      {fp8, config(R"({"quant_method": "fp8", "weight_block_size": "x"})"), "an array of integers"},
      {fp8, config(R"({"quant_method": "fp8", "weight_block_size": [8, 48]})"),
       "in blocks of 8 x 48"},
      {fp8, config(R"({"quant_method": "fp8"})"), "does not fit the values [8, 64]"},
      {gptq, config(R"({"quant_method": "gptq", "group_size": 32})"), "bits' is missing"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 3, "group_size": 32})"), "only 4 and 8"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 0, "group_size": 32})"), "outside 1 to 32"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4})"), "group_size' is missing"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 0})"), "group_size' is 0"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": -7})"), "is -7"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 16})"), "ask for [4, 8]"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 8, "group_size": 32})"), "ask for"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 9223372036854775807})"),
       "ask for [1, 8]"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 32,
                       "checkpoint_format": "marlin"})"),
       "supported: gptq, gptq_v2"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 32,
                       "pack_dtype": "int64"})"),
       "supported: int32"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 32,
                       "is_marlin_format": true})"),
       "Marlin"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 32,
                       "dynamic": {"+:.*": {"bits": 8}}})"),
       "the rule '+:.*' is not supported"},
      {gptq, config(R"({"quant_method": "gptq", "bits": 4, "group_size": 32, "dynamic": 5})"),
       "dynamic' is no object"},
      {awq, config(R"({"quant_method": "awq", "bits": 8, "group_size": 32})"), "4 bits"},
      {awq, config(R"({"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemv"})"),
       "the order 'gemm' only"},
      {awq, config(R"({"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": false})"),
       "zero points"},
      {packed, config(R"({"quant_method": "compressed-tensors"})"), "format' is missing"},
      {packed, config(R"({"quant_method": "compressed-tensors", "format": "pack-quantized",
                         "config_groups": {}})"),
       "no object with one group"},
      {packed, config(R"({"quant_method": "compressed-tensors", "format": "pack-quantized",
                         "kv_cache_scheme": {}})"),
       "KV cache"},
      {packed, config(compressed_config("marlin-24", R"("num_bits": 4)")), "supported: float-"},
      {packed, config(compressed_config("pack-quantized", R"("num_bits": 2)")), "only 4 and 8"},
      {packed, config(compressed_config("pack-quantized", R"("num_bits": 4, "group_size": 0)")),
       "group_size' is 0"},
      {packed, config(compressed_config("int-quantized", R"("num_bits": 4)")), "of 4 bits"},
      {packed, config(compressed_config("int-quantized", R"("num_bits": 8, "symmetric": false)")),
       "with zero points"},
  };
}

std::vector<Lie> part_lies() {
  return {
      {fp8, remove("x.weight"), "tensor 'x.weight' is missing, but its scales"},
      {fp8, replace("x.weight", filled("U8", {8, 64})), "tensor 'x.weight' is U8"},
      {fp8, replace("x.weight", filled("F8_E4M3", {64})), "a matrix was expected"},
      {fp8, replace("x.weight", filled("F8_E4M3", {0, 64})), "a matrix was expected"},
      {fp8, replace("x.weight", filled("F8_E4M3", {1, 1, 8, 64})), "a matrix was expected"},
      {fp8, replace("x.weight_scale_inv", filled("F32", {2, 3})), "shape [2, 3], which does not"},
      {fp8, replace("x.weight_scale_inv", filled("F32", {4})), "which does not fit"},
      {fp8, replace("x.weight_scale_inv", filled("F32", {0})), "which does not fit"},
      {fp8, replace("x.weight_scale_inv", filled("I32", {2, 2})), "I32, no format for scales"},
      {mxfp4, remove("x_blocks"), "tensor 'x_scales' is a part of a quantised matrix"},
      {mxfp4, remove("x_scales"), "tensor 'x_scales' is missing"},
      {mxfp4, replace("x_blocks", filled("I8", {2, 4, 2, 16})), "'x_blocks' is I8, not U8"},
      {mxfp4, replace("x_blocks", filled("U8", {2, 4, 2, 8})), "has the shape [2, 4, 2, 8]"},
      {mxfp4, replace("x_scales", filled("U8", {2, 4, 3})), "x_scales' have [2, 4, 3]"},
      {mxfp4, replace("x_scales", filled("U8", {})), "x_scales' have []"},
      {int8, remove("x.weight"), "tensor 'x.weight' is missing"},
      {int8, replace("x.SCB", filled("F32", {7})), "shape [7], which does not fit"},
      {int8, replace("x.weight_format", filled("U8", {}, 1)), "only the order by rows"},
      {int8, replace("x.weight_format", filled("U8", {2})), "only the order by rows"},
      {gptq, remove("x.scales"), "tensor 'x.scales' is missing"},
      {gptq, remove("x.qzeros"), "tensor 'x.qzeros' is missing"},
      {gptq, remove("x.qweight"), "tensor 'x.qzeros' is a part of a quantised matrix"},
      {gptq, replace("x.qweight", filled("F32", {8, 8})), "'x.qweight' is F32, not I32"},
      {gptq, replace("x.qweight", filled("I32", {64})), "a matrix was expected"},
      {gptq, replace("x.qweight", filled("I32", {8, 7})), "7 rows are no multiple of 8"},
      {gptq, replace("x.qweight", filled("I32", {0, u64(1) << 62})), "'x.qweight' is empty"},
      {gptq, replace("x.qweight", filled("I32", {u64(1) << 61, 0})), "'x.qweight' is empty"},
      {gptq, replace("x.qzeros", filled("I32", {2, 2})), "tensor 'x.qzeros' has the shape [2, 2]"},
      {gptq, replace("x.scales", filled("F16", {3, 8})), "tensor 'x.scales' has the shape [3, 8]"},
      {gptq, replace("x.scales", filled("I16", {2, 8})), "tensor 'x.scales' is I16"},
      {gptq, replace("x.g_idx", filled("I32", {63})), "tensor 'x.g_idx' has the shape [63]"},
      {gptq, replace("x.g_idx", filled("I64", {64})), "'x.g_idx' is I64, not I32"},
      {gptq, replace("x.g_idx", filled("I32", {64}, 1)), "column 0 is in group 16843009 of 2"},
      {gptq, replace("x.g_idx", filled("I32", {64}, 0xff)), "column 0 is in group -1 of 2"},
      {awq, remove("x.scales"), "tensor 'x.scales' is missing"},
      {awq, remove("x.qweight"), "is a part of a quantised matrix"},
      {awq, replace("x.qzeros", filled("I32", {1, 1})), "tensor 'x.qzeros' has the shape [1, 1]"},
      {awq, replace("x.scales", filled("F16", {2, 9})), "tensor 'x.scales' has the shape [2, 9]"},
      {packed, remove("x.weight_shape"), "tensor 'x.weight_shape' is missing"},
      {packed, remove("x.weight_zero_point"), "'x.weight_zero_point' is missing"},
      {packed, remove("x.weight_packed"), "is a part of a quantised matrix"},
      {packed, replace("x.weight_shape", values<i64>("I64", {2}, {8, 65})), "says 65 columns"},
      {packed, replace("x.weight_shape", values<i64>("I64", {2}, {8, -1})),
       "says 1844674407370955"},
      {packed, replace("x.weight_shape", filled("I64", {3})), "has the shape [3]"},
  };
}

std::vector<Lie> state_lies() {
  return {
      {nf4, state("hello"), "bitsandbytes__nf4': not valid JSON"},
      {nf4, state("[]"), "the root is no object"},
      {nf4, state(std::string(70'000, ' ')), "70000 bytes are too many"},
      {nf4, state(std::string(60'000, '[')), "bitsandbytes__nf4': "},
      {nf4, state("{}"), "quant_type' is missing"},
      {nf4, state_with("nf4", "fp4"), "quant_type is 'fp4', but"},
      {nf4, state_with("\"blocksize\": 64", "\"blocksize\": 0"), "outside 32 to 4096"},
      {nf4, state_with("\"blocksize\": 64", "\"blocksize\": 65"), "no power of two"},
      {nf4, state_with("\"blocksize\": 64", "\"blocksize\": 32"), "ask for [16]"},
      {nf4, state_with("[8, 64]", "[]"), "no shape"},
      {nf4, state_with("[8, 64]", "[8, -64]"), "has the size -64"},
      {nf4, state_with("[8, 64]", "[0, 64]"), "has the size 0"},
      {nf4, state_with("[8, 64]", "[4294967296, 4294967296]"), "is too large"},
      {nf4, state_with("[8, 64]", "[3, 5, 17, 72340172838076673]"), "is too large"},
      {nf4, state_with("[8, 64]", "[8, 66]"), "has not the 264 bytes"},
      {nf4, state_with("256", "0"), "outside 1 to"},
      {nf4, state_with("0.5", "1e999"), "bitsandbytes__nf4': "},
      {nf4, state_with("0.5", "\"x\""), "not a number"},
      {nf4, remove("x.weight"), "tensor 'x.weight' is missing"},
      {nf4, remove("x.weight.absmax"), "tensor 'x.weight.absmax' is missing"},
      {nf4, remove("x.weight.quant_map"), "tensor 'x.weight.quant_map' is missing"},
      {nf4, remove("x.weight.nested_absmax"), "nested_absmax' is missing"},
      {nf4, remove("x.weight.nested_quant_map"), "nested_quant_map' is missing"},
      {nf4, remove("x.weight.quant_state.bitsandbytes__nf4"), "is a part of a quantised matrix"},
      {nf4, replace("x.weight.absmax", filled("F32", {8})), "absmax' is F32, not U8"},
      {nf4, replace("x.weight.absmax", filled("U8", {7})), "has the shape [7]"},
      {nf4, replace("x.weight.quant_map", filled("F32", {15})), "has the shape [15]"},
      {nf4, replace("x.weight.quant_map", filled("F32", {16}, 0x7f)), "entry 0 is not between"},
      {nf4, replace("x.weight.nested_quant_map", filled("F32", {256}, 0xff)), "entry 0 is not"},
      {nf4, replace("x.weight.nested_absmax", filled("F32", {2})), "has the shape [2]"},
  };
}

TEST(HostileQuantized, TheHonestOnesAreRead) {
  for (const auto honest : {fp8, mxfp4, nf4, int8, gptq, awq, packed}) {
    TemporaryFolder folder;
    write(folder, honest());
    const auto opened = Checkpoint::open(folder.path());
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_EQ((*opened)->tensors().size(), 1u);
    const TensorView& view = (*opened)->tensors()[0];
    ASSERT_NE(view.encoding, nullptr);
    for (const Format format : {Format::kF32, view.encoding->row_format()}) {
      std::vector<u8> row(*row_bytes(format, 64));
      EXPECT_TRUE(view.encoding->read_row(7, format, row.data())) << honest().config;
    }
  }
}

TEST(HostileQuantized, EveryLieIsRefused) {
  u64 count = 0;
  for (const auto& table : {config_lies(), part_lies(), state_lies()})
    for (const Lie& lie : table) {
      TemporaryFolder folder;
      Honest files = lie.honest();
      lie.tell(files);
      write(folder, files);
      const auto opened = Checkpoint::open(folder.path());
      ASSERT_FALSE(opened) << lie.reason;
      const std::string& message = opened.error().message;
      EXPECT_NE(message.find(lie.reason), std::string::npos) << lie.reason << ": " << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), 600u) << message;
      ++count;
    }
  EXPECT_GE(count, 100u);
}

// What only shows when the values are read.
TEST(HostileQuantized, DamagedScalesAreErrorsOfTheirRows) {
  const std::vector<Lie> lies = {
      {fp8, replace("x.weight", filled("F8_E4M3", {8, 64}, 0x7f)), ""},
      {fp8, replace("x.weight_scale_inv", filled("F32", {2, 2}, 0x7f)), ""},  // 3.4e38
      {fp8, replace("x.weight_scale_inv", filled("F32", {2, 2}, 0xff)), ""},
      {fp8, replace("x.weight_scale_inv", filled("F8_E8M0", {2, 2}, 0xff)), ""},
      {mxfp4, replace("x_scales", filled("U8", {2, 4, 2}, 255)), ""},
      {mxfp4, replace("x_scales", filled("U8", {2, 4, 2}, 253)), ""},
      {nf4, state_with("0.5", "1e38"), ""},
      {int8, replace("x.SCB", filled("F32", {8}, 0xff)), ""},
      {gptq, replace("x.scales", filled("F16", {2, 8}, 0x7c)), ""},
      {awq, replace("x.scales", filled("BF16", {2, 8}, 0xff)), ""},
      {packed, replace("x.weight_scale", filled("F16", {8, 2}, 0xff)), ""},
  };
  for (const Lie& lie : lies) {
    TemporaryFolder folder;
    Honest files = lie.honest();
    lie.tell(files);
    if (lie.honest == nf4)
      files.tensors["x.weight.quant_map"] = values<f32>("F32", {16}, std::vector<f32>(16, 1.0f));
    write(folder, files);
    const auto opened = Checkpoint::open(folder.path());
    ASSERT_TRUE(opened) << opened.error().message;
    const Encoding& encoding = *(*opened)->tensors()[0].encoding;
    std::vector<u8> row(*row_bytes(encoding.row_format(), 64));
    const auto read = encoding.read_row(0, encoding.row_format(), row.data());
    ASSERT_FALSE(read) << files.config;
    EXPECT_NE(read.error().message.find("no finite number"), std::string::npos);
  }
}

// Whatever is cut off, the reader of the file sees it first; a header without its tail is no crash.
TEST(HostileQuantized, EveryTruncationIsRefused) {
  TemporaryFolder folder;
  const Honest honest = nf4();
  write(folder, honest);
  const std::string whole = file_of(honest.tensors);
  for (u64 size = 0; size < whole.size(); size += 7) {
    folder.write("model.safetensors", std::string_view(whole).substr(0, size));
    EXPECT_FALSE(Checkpoint::open(folder.path()));
  }
}

}  // namespace
}  // namespace orrery::checkpoint
