// GGUF files that lie: a valid tiny model of which one thing is changed.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "support/hostile.h"
#include "support/tiny_gguf.h"

namespace orrery {
namespace {

using checkpoint::GgufValue;
using testing::Arguments;
using testing::generate_with;
using testing::read_file;
using testing::TemporaryFolder;
using testing::TinyGguf;
using Case = testing::HostileCase;

Case tiny(std::string name, const std::function<void(TinyGguf&)>& change,
          Format format = Format::kF32) {
  return {std::move(name), [change, format](const TemporaryFolder& folder) {
            TinyGguf model(format);
            change(model);
            const auto path = folder.path() / "model.gguf";
            const auto written = model.write(path);
            EXPECT_TRUE(written) << written.error().message;
            return generate_with(folder, path);
          }};
}

Case metadata(const std::string& key, GgufValue value, const std::string& what) {
  return tiny("gguf_" + what, [=](TinyGguf& m) { m.set(key, value); });
}

// The bytes of a valid model, changed where they lie.
Case patched(std::string name, const std::function<void(std::string&)>& change) {
  return {std::move(name), [change](const TemporaryFolder& folder) {
            TinyGguf model;
            const auto path = folder.path() / "model.gguf";
            EXPECT_TRUE(model.write(path));
            std::string bytes = read_file(path);
            change(bytes);
            return generate_with(folder, folder.write("model.gguf", bytes));
          }};
}

template <typename T>
void put(std::string& bytes, std::size_t at, T value) {
  ASSERT_LE(at + sizeof(T), bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

// Where the description of a tensor has its dimensions, type and offset.
struct Place {
  std::size_t sizes, type, offset;
};
Place find_tensor(const std::string& bytes, const std::string& name) {
  const std::size_t after = bytes.find(name) + name.size();
  u32 dimensions = 0;
  std::memcpy(&dimensions, bytes.data() + after, 4);
  const std::size_t sizes = after + 4;
  return {sizes, sizes + 8 * dimensions, sizes + 8 * dimensions + 4};
}

void set_f32(TinyGguf::Tensor& tensor, u64 index, f32 value) {
  std::memcpy(tensor.bytes.data() + 4 * index, &value, 4);
}
void set_f16(TinyGguf::Tensor& tensor, u64 byte, u16 value) {
  std::memcpy(tensor.bytes.data() + byte, &value, 2);
}

constexpr u16 kNan16 = 0x7e00, kInfinity16 = 0x7c00;
constexpr f32 kNan = std::numeric_limits<f32>::quiet_NaN();
constexpr f32 kInfinity = std::numeric_limits<f32>::infinity();

void add_header_cases(std::vector<Case>& cases) {
  const auto add = [&](const char* name, auto change) { cases.push_back(patched(name, change)); };
  add("wrong_magic", [](std::string& b) { b[0] = 'X'; });
  add("magic_of_old_ggml", [](std::string& b) { b.replace(0, 4, "ggjt"); });
  add("version_0", [](std::string& b) { put<u32>(b, 4, 0); });
  add("version_1", [](std::string& b) { put<u32>(b, 4, 1); });
  add("version_99", [](std::string& b) { put<u32>(b, 4, 99); });
  add("big_endian", [](std::string& b) { put<u32>(b, 4, 0x03000000); });
  add("tensors_2_63", [](std::string& b) { put<u64>(b, 8, u64(1) << 63); });
  add("tensors_2_32", [](std::string& b) { put<u64>(b, 8, u64(1) << 32); });
  add("tensors_none", [](std::string& b) { put<u64>(b, 8, 0); });
  add("tensors_one_more", [](std::string& b) { put<u64>(b, 8, 13); });
  add("keys_2_63", [](std::string& b) { put<u64>(b, 16, u64(1) << 63); });
  add("keys_none", [](std::string& b) { put<u64>(b, 16, 0); });
  add("key_length_2_63", [](std::string& b) { put<u64>(b, 24, u64(1) << 63); });
  add("key_length_2_40", [](std::string& b) { put<u64>(b, 24, u64(1) << 40); });
  add("value_type_unknown", [](std::string& b) { put<u32>(b, 24 + 8 + 20, 77); });
  add("value_array_2_62", [](std::string& b) {
    put<u32>(b, 24 + 8 + 20, 9);       // general.architecture becomes an array
    put<u32>(b, 24 + 8 + 20 + 4, 10);  // of u64
    put<u64>(b, 24 + 8 + 20 + 8, u64(1) << 62);
  });
}

void add_tensor_cases(std::vector<Case>& cases) {
  const auto add = [&](const char* name, auto change) { cases.push_back(patched(name, change)); };
  const std::string q = "blk.0.attn_q.weight", k = "blk.0.attn_k.weight";
  add("offset_outside",
      [q](std::string& b) { put<u64>(b, find_tensor(b, q).offset, u64(1) << 40); });
  add("offset_overflows",
      [q](std::string& b) { put<u64>(b, find_tensor(b, q).offset, ~u64(0) - 31); });
  add("offset_misaligned", [q](std::string& b) { put<u64>(b, find_tensor(b, q).offset, 33); });
  add("tensors_overlap", [q](std::string& b) { put<u64>(b, find_tensor(b, q).offset, 0); });
  add("tensors_same_place", [q, k](std::string& b) {
    u64 offset = 0;
    std::memcpy(&offset, b.data() + find_tensor(b, q).offset, 8);
    put<u64>(b, find_tensor(b, k).offset, offset);
  });
  add("tensor_type_unknown", [q](std::string& b) { put<u32>(b, find_tensor(b, q).type, 4711); });
  add("tensor_type_smaller", [q](std::string& b) { put<u32>(b, find_tensor(b, q).type, 1); });
  add("tensor_size_2_63",
      [q](std::string& b) { put<u64>(b, find_tensor(b, q).sizes, u64(1) << 63); });
  add("tensor_sizes_overflow", [q](std::string& b) {
    put<u64>(b, find_tensor(b, q).sizes, u64(1) << 32);
    put<u64>(b, find_tensor(b, q).sizes + 8, u64(1) << 32);
  });
  add("tensor_size_0", [q](std::string& b) { put<u64>(b, find_tensor(b, q).sizes, 0); });
  add("tensor_dimensions_2_31",
      [q](std::string& b) { put<u32>(b, find_tensor(b, q).sizes - 4, 1u << 31); });
  add("tensor_name_twice", [q, k](std::string& b) { b.replace(b.find(k), k.size(), q); });
  cases.push_back(tiny("tensor_missing", [](TinyGguf& m) { m.remove("blk.0.ffn_up.weight"); }));
  cases.push_back(tiny("tensor_too_many",
                       [](TinyGguf& m) { m.add("blk.0.secret.weight", Format::kF32, {64}); }));
  cases.push_back(tiny("tensor_of_layer_99",
                       [](TinyGguf& m) { m.add("blk.99.attn_q.weight", Format::kF32, {64, 64}); }));
  cases.push_back(tiny("shape_transposed", [](TinyGguf& m) {
    std::swap(m.tensor("blk.0.ffn_down.weight").shape[0],
              m.tensor("blk.0.ffn_down.weight").shape[1]);
  }));
  cases.push_back(tiny("shape_smaller", [](TinyGguf& m) {
    m.remove("output.weight");
    m.add("output.weight", Format::kF32, {32, 64});
  }));
  cases.push_back(tiny("norm_is_a_matrix", [](TinyGguf& m) {
    m.remove("output_norm.weight");
    m.add("output_norm.weight", Format::kF32, {8, 8});
  }));
}

void add_number_cases(std::vector<Case>& cases) {
  cases.push_back(
      tiny("nan_in_f32", [](TinyGguf& m) { set_f32(m.tensor("blk.0.ffn_up.weight"), 100, kNan); }));
  cases.push_back(tiny("infinity_in_f32", [](TinyGguf& m) {
    set_f32(m.tensor("blk.0.attn_v.weight"), 7, kInfinity);
  }));
  cases.push_back(
      tiny("nan_in_norm", [](TinyGguf& m) { set_f32(m.tensor("output_norm.weight"), 0, kNan); }));
  cases.push_back(tiny("nan_in_embedding",
                       [](TinyGguf& m) { set_f32(m.tensor("token_embd.weight"), 0, kNan); }));
  const std::pair<const char*, Format> scaled[] = {{"q8_0", Format::kQ8_0},
                                                   {"q4_0", Format::kQ4_0},
                                                   {"q4_1", Format::kQ4_1},
                                                   {"q5_1", Format::kQ5_1}};
  for (const auto& [name, format] : scaled)
    cases.push_back(tiny(
        std::string("nan_scale_") + name,
        [](TinyGguf& m) { set_f16(m.tensor("blk.0.ffn_gate.weight"), 0, kNan16); }, format));
  cases.push_back(tiny(
      "infinite_scale_q4_0",
      [](TinyGguf& m) { set_f16(m.tensor("blk.0.attn_k.weight"), 0, kInfinity16); },
      Format::kQ4_0));
  cases.push_back(tiny(
      "infinite_min_q4_1",
      [](TinyGguf& m) { set_f16(m.tensor("blk.0.attn_k.weight"), 2, kInfinity16); },
      Format::kQ4_1));
}

void add_metadata_cases(std::vector<Case>& cases) {
  const auto set = [&](const char* key, GgufValue value, const char* what) {
    cases.push_back(metadata(key, std::move(value), what));
  };
  set("llama.attention.head_count", {u32(0)}, "heads_0");
  set("llama.attention.head_count", {u32(5)}, "heads_5");
  set("llama.attention.head_count_kv", {u32(0)}, "kv_heads_0");
  set("llama.attention.head_count_kv", {u32(3)}, "kv_heads_3");
  set("llama.attention.head_count", {i32(-4)}, "heads_negative");
  set("llama.block_count", {u32(0)}, "layers_0");
  set("llama.block_count", {u32(1'000'000)}, "layers_1e6");
  set("llama.block_count", {u64(1) << 63}, "layers_2_63");
  set("llama.embedding_length", {u32(1) << 31}, "dim_2_31");
  set("llama.embedding_length", {u32(0)}, "dim_0");
  set("llama.feed_forward_length", {u32(0)}, "width_0");
  set("llama.feed_forward_length", {~u32(0)}, "width_2_32");
  set("llama.context_length", {u32(0)}, "context_0");
  set("llama.vocab_size", {u32(1) << 31}, "vocab_2_31");
  set("llama.rope.freq_base", {kNan}, "rope_nan");
  set("llama.rope.freq_base", {0.0f}, "rope_0");
  set("llama.rope.dimension_count", {u32(15)}, "rope_odd");
  set("llama.rope.dimension_count", {u32(1024)}, "rope_wide");
  set("llama.attention.layer_norm_rms_epsilon", {kNan}, "eps_nan");
  set("llama.attention.layer_norm_rms_epsilon", {-1.0f}, "eps_negative");
  set("llama.attention.layer_norm_rms_epsilon", {std::string("small")}, "eps_text");
  set("llama.block_count", {std::string("one")}, "layers_text");
  set("general.architecture", {std::string("perpetuum_mobile")}, "family_unknown");
  set("general.architecture", {u32(3)}, "family_number");
  set("general.architecture", {std::string("a\nb\x1b[31mc")}, "family_with_escapes");
  for (const char* key : {"general.architecture", "llama.block_count", "llama.attention.head_count",
                          "llama.embedding_length", "llama.attention.layer_norm_rms_epsilon"})
    cases.push_back(tiny(std::string("gguf_without_") + (std::strrchr(key, '.') + 1),
                         [key](TinyGguf& m) { m.erase(key); }));
}

void add_truncated_cases(std::vector<Case>& cases) {
  for (const std::size_t length :
       {0, 1, 3, 4, 7, 8, 16, 23, 24, 31, 40, 60, 100, 300, 600, 900, 1400, 5000, 40000})
    cases.push_back(patched("cut_at_" + std::to_string(length),
                            [length](std::string& b) { b.resize(length); }));
  cases.push_back(patched("cut_by_a_byte", [](std::string& b) {
    // The padding behind the last tensor may be missing; its own bytes may not.
    b.resize(b.find_last_not_of('\0') - 8);
  }));
  cases.push_back(patched("cut_in_half", [](std::string& b) { b.resize(b.size() / 2); }));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_header_cases(cases);
  add_tensor_cases(cases);
  add_number_cases(cases);
  add_metadata_cases(cases);
  add_truncated_cases(cases);
  return cases;
}

class HostileGguf : public ::testing::TestWithParam<Case> {};

TEST_P(HostileGguf, EndsWithOneClearLine) { testing::expect_one_clear_line(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, HostileGguf, ::testing::ValuesIn(all_cases()), testing::name_of_case);

// What the cases change is valid before they change it.
TEST(HostileGguf, TheUnchangedModelsRun) {
  for (const Format format :
       {Format::kF32, Format::kQ8_0, Format::kQ4_0, Format::kQ4_1, Format::kQ5_1}) {
    const TemporaryFolder folder;
    const auto path = folder.path() / "model.gguf";
    ASSERT_TRUE(TinyGguf(format).write(path));
    const testing::Outcome outcome = testing::run_program(generate_with(folder, path));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }
}

}  // namespace
}  // namespace orrery
