// The program meets files that lie. Whatever they hold: one line that says what is wrong, an exit
// code from 1 to 125, less than 512 MiB, less than 10 seconds, and never a crash.
//
// Each case makes its files in a folder and says how to call the program. GGUF cases start from a
// valid tiny model and change one thing; a first test proves that the unchanged one runs.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/process.h"
#include "support/tiny_gguf.h"

namespace orrery {
namespace {

using checkpoint::GgufArray;
using checkpoint::GgufValue;
using nlohmann::json;
using testing::Outcome;
using testing::read_file;
using testing::TemporaryFolder;
using testing::TinyGguf;

using Arguments = std::vector<std::string>;
struct Case {
  std::string name;
  std::function<Arguments(const TemporaryFolder&)> prepare;
};

const std::string kModels = ORRERY_SOURCE_DIR "/tests/golden/models/";

Arguments generate_with(const TemporaryFolder& folder, const std::string& model) {
  return {"generate",     model, "--tokens", folder.write("ids.json", "[1, 2, 3]"),
          "--max-tokens", "1"};
}

// ---- GGUF files of which one thing is changed
// -----------------------------------------------------

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

// ---- Hugging Face folders
// ---------------------------------------------------------------------------

Arguments with_folder(const TemporaryFolder& folder,
                      const std::function<void(const TemporaryFolder&)>& change) {
  for (const char* name :
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(kModels + "llama_f32/hf/" + name, folder.path() / name);
  change(folder);
  return generate_with(folder, folder.path());
}

Case config(std::string name, const std::function<void(json&)>& change) {
  return {"config_" + name, [change](const TemporaryFolder& folder) {
            return with_folder(folder, [&](const TemporaryFolder& f) {
              json settings = json::parse(read_file(f.path() / "config.json"));
              change(settings);
              f.write("config.json", settings.dump());
            });
          }};
}
Case file(std::string name, const std::string& which,
          const std::function<std::string(std::string)>& change) {
  return {std::move(name), [which, change](const TemporaryFolder& folder) {
            return with_folder(folder, [&](const TemporaryFolder& f) {
              f.write(which, change(read_file(f.path() / which)));
            });
          }};
}

// The header of a safetensors file, changed; its length is put right again.
Case header(std::string name, const std::function<void(json&)>& change) {
  return file("safetensors_" + name, "model.safetensors", [change](const std::string& bytes) {
    u64 length = 0;
    std::memcpy(&length, bytes.data(), 8);
    json tensors = json::parse(bytes.substr(8, length));
    const std::string data = bytes.substr(8 + length);
    change(tensors);
    const std::string text = tensors.dump();
    length = text.size();
    return std::string(reinterpret_cast<const char*>(&length), 8) + text + data;
  });
}

void add_config_cases(std::vector<Case>& cases) {
  const auto set = [&](const char* what, const char* key, const json& value) {
    cases.push_back(config(what, [key, value](json& c) { c[key] = value; }));
  };
  set("layers_negative", "num_hidden_layers", -1);
  set("layers_1e6", "num_hidden_layers", 1'000'000);
  set("layers_1e300", "num_hidden_layers", 1e300);
  set("layers_text", "num_hidden_layers", "2");
  set("heads_0", "num_attention_heads", 0);
  set("heads_list", "num_attention_heads", json::array({1, 2}));
  set("vocab_2_31", "vocab_size", u64(1) << 31);
  set("vocab_2_63", "vocab_size", u64(1) << 63);
  set("hidden_negative", "hidden_size", -64);
  set("head_dim_0", "head_dim", 0);
  set("width_1e300", "intermediate_size", 1e300);
  set("eps_text", "rms_norm_eps", "1e-5");
  set("eps_1e300", "rms_norm_eps", 1e300);
  set("activation_unknown", "hidden_act", "mish");
  set("family_unknown", "architectures", json::array({"PerpetuumMobileForCausalLM"}));
  set("family_none", "architectures", json::array());
  set("rope_unknown", "rope_parameters", {{"rope_type", "spiral"}, {"rope_theta", 10000.0}});
  set("tied_text", "tie_word_embeddings", "yes");
  for (const char* key : {"hidden_size", "num_hidden_layers", "rms_norm_eps", "vocab_size"})
    cases.push_back(config(std::string("without_") + key, [key](json& c) { c.erase(key); }));
  const auto whole = [&](const char* what, const std::string& text) {
    cases.push_back(file(std::string("config_") + what, "config.json",
                         [text](const std::string&) { return text; }));
  };
  whole("empty", "");
  whole("no_json", "{\"architectures\": [");
  whole("a_list", "[1, 2]");
  whole("deep", std::string(100'000, '['));
  whole("deep_object", [] {
    std::string text;
    for (int i = 0; i < 50'000; ++i) text += "{\"a\":";
    return text;
  }());
  whole("invalid_utf8", "{\"architectures\": [\"\xff\xfe\"]}");
}

void add_safetensors_cases(std::vector<Case>& cases) {
  const auto bytes = [&](const char* what, const std::function<std::string(std::string)>& change) {
    cases.push_back(file(std::string("safetensors_") + what, "model.safetensors", change));
  };
  const auto with_length = [](std::string b, u64 length) {
    std::memcpy(b.data(), &length, 8);
    return b;
  };
  bytes("empty", [](const std::string&) { return std::string(); });
  bytes("seven_bytes", [](const std::string& b) { return b.substr(0, 7); });
  bytes("cut", [](const std::string& b) { return b.substr(0, b.size() - 1); });
  bytes("header_2_63", [=](const std::string& b) { return with_length(b, u64(1) << 63); });
  bytes("header_longer_than_file", [=](const std::string& b) { return with_length(b, b.size()); });
  bytes("header_0", [=](const std::string& b) { return with_length(b, 0); });
  bytes("header_no_json", [](std::string b) { return b[8] = '(', b; });
  const std::string norm = "model.norm.weight";
  cases.push_back(header("offset_outside",
                         [=](json& h) { h[norm]["data_offsets"] = {1 << 30, (1 << 30) + 256}; }));
  cases.push_back(header("offset_2_63", [=](json& h) {
    h[norm]["data_offsets"] = {u64(1) << 63, (u64(1) << 63) + 256};
  }));
  cases.push_back(header("offset_backwards", [=](json& h) { h[norm]["data_offsets"] = {256, 0}; }));
  cases.push_back(header("overlap", [=](json& h) { h[norm]["data_offsets"] = {0, 256}; }));
  cases.push_back(
      header("shape_overflows", [=](json& h) { h[norm]["shape"] = {u64(1) << 40, u64(1) << 40}; }));
  cases.push_back(header("shape_negative", [=](json& h) { h[norm]["shape"] = {-64}; }));
  cases.push_back(header("type_unknown", [=](json& h) { h[norm]["dtype"] = "F128"; }));
  cases.push_back(header("type_half", [=](json& h) { h[norm]["dtype"] = "F16"; }));
  cases.push_back(header("tensor_missing", [=](json& h) { h.erase(norm); }));
  cases.push_back(header("tensor_renamed", [=](json& h) {
    h["model.secret.weight"] = h[norm];
    h.erase(norm);
  }));
  const auto index = [&](const char* what, const std::string& text) {
    cases.push_back({std::string("index_") + what, [text](const TemporaryFolder& folder) {
                       return with_folder(folder, [&](const TemporaryFolder& f) {
                         std::filesystem::remove(f.path() / "model.safetensors");
                         f.write("model.safetensors.index.json", text);
                       });
                     }});
  };
  index("escapes_the_folder", R"({"weight_map": {"model.norm.weight": "../../../../etc/passwd"}})");
  index("names_no_file",
        R"({"weight_map": {"model.norm.weight": "model-00001-of-00009.safetensors"}})");
  index("no_map", R"({"metadata": {}})");
  index("no_json", "{");
}

// ---- Texts: tokenizers, templates, requests
// ----------------------------------------------------------

Case tokenizer(std::string name, const std::string& text) {
  return {"tokenizer_" + name, [text](const TemporaryFolder& folder) {
            return Arguments{"tokenize", folder.write("tokenizer.json", text), "Hello"};
          }};
}
Case tokenizer_with(std::string name, const std::function<void(json&)>& change) {
  json data = json::parse(read_file(kModels + "llama_f32/hf/tokenizer.json"));
  change(data);
  return tokenizer(std::move(name), data.dump());
}

void add_tokenizer_cases(std::vector<Case>& cases) {
  cases.push_back(tokenizer("empty", ""));
  cases.push_back(tokenizer("no_json", "{\"model\": "));
  cases.push_back(tokenizer("a_number", "7"));
  cases.push_back(tokenizer("deep", std::string(200'000, '[')));
  cases.push_back(tokenizer("without_model", "{}"));
  cases.push_back(tokenizer_with("model_unknown", [](json& t) { t["model"]["type"] = "Oracle"; }));
  cases.push_back(tokenizer_with("vocab_a_list", [](json& t) { t["model"]["vocab"] = {1, 2}; }));
  cases.push_back(tokenizer_with("id_negative", [](json& t) { t["model"]["vocab"]["a"] = -1; }));
  cases.push_back(
      tokenizer_with("id_2_40", [](json& t) { t["model"]["vocab"]["a"] = u64(1) << 40; }));
  cases.push_back(tokenizer_with("merge_of_nothing",
                                 [](json& t) { t["model"]["merges"][0] = {"no", "such"}; }));
  cases.push_back(tokenizer_with("merge_a_number", [](json& t) { t["model"]["merges"][0] = 5; }));
  cases.push_back(
      tokenizer_with("added_id_2_40", [](json& t) { t["added_tokens"][0]["id"] = u64(1) << 40; }));
}

Case chat_template(std::string name, const std::string& source) {
  return {"template_" + name, [source](const TemporaryFolder& folder) {
            std::filesystem::copy_file(kModels + "llama_f32/hf/tokenizer.json",
                                       folder.path() / "tokenizer.json");
            folder.write("chat_template.jinja", source);
            return Arguments{"template", folder.path(), "-m", "Hello"};
          }};
}

void add_template_cases(std::vector<Case>& cases) {
  cases.push_back(chat_template("cyclic_macro",
                                "{% macro a() %}{{ b() }}{% endmacro %}"
                                "{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}"));
  cases.push_back(chat_template("endless_loop", "{% for i in range(1000000000) %}x{% endfor %}"));
  cases.push_back(chat_template("nested_loops",
                                "{% for i in range(99999) %}{% for j in range(99999) %}"
                                "{{ i }}{% endfor %}{% endfor %}"));
  cases.push_back(chat_template("doubling",
                                "{% set ns = namespace(s='x') %}{% for i in range(99) %}"
                                "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}"));
  cases.push_back(chat_template("huge_string", "{{ 'x' * 100000000000 }}"));
  cases.push_back(chat_template("unclosed", "{% for m in messages %}"));
  cases.push_back(chat_template("unknown_filter", "{{ messages | launder }}"));
  cases.push_back(chat_template("deep_brackets", "{{ " + std::string(50'000, '(') + " }}"));
  cases.push_back(chat_template("raises", "{{ raise_exception('no\nthanks') }}"));
  cases.push_back(chat_template("dunder", "{{ ''.__class__.__mro__ }}"));
}

void add_request_cases(std::vector<Case>& cases) {
  const auto add = [&](std::string name,
                       const std::function<Arguments(const TemporaryFolder&)>& prepare) {
    cases.push_back({std::move(name), prepare});
  };
  const std::string model = kModels + "llama_f32/model.gguf";
  const auto ids = [&](const char* name, const std::string& text) {
    add(std::string("ids_") + name, [=](const TemporaryFolder& f) {
      return Arguments{"generate",     model, "--tokens", f.write("ids.json", text),
                       "--max-tokens", "1"};
    });
  };
  ids("empty_list", "[]");
  ids("no_json", "[1, 2");
  ids("negative", "[1, -2]");
  ids("fraction", "[1.5]");
  ids("text", "[\"1\"]");
  ids("outside_vocabulary", "[321]");
  ids("2_31", "[2147483648]");
  ids("2_70", "[1180591620717411303424]");
  ids("deep", std::string(100'000, '['));
  for (const char* verb : {"tokenize", "template"}) {
    const auto lines = [&](const char* name, const std::string& text) {
      add(fmt::format("{}_{}", verb, name), [=](const TemporaryFolder& f) {
        return Arguments{verb, model, "--jsonl", f.write("in.jsonl", text)};
      });
    };
    lines("line_no_json", "{\"text\": \"a\", \"messages\": []}\n{\n");
    lines("line_deep", std::string(100'000, '[') + "\n");
    lines("line_a_list", "[]\n");
    lines("line_invalid_utf8", "{\"text\": \"\xff\"}\n");
  }
  add("tokenize_text_missing", [=](const TemporaryFolder& f) {
    return Arguments{"tokenize", model, "--jsonl", f.write("in.jsonl", "{\"txt\": 1}\n")};
  });
  add("model_is_no_file",
      [](const TemporaryFolder& f) { return generate_with(f, "/no/such/model.gguf"); });
  add("model_is_a_device", [](const TemporaryFolder& f) { return generate_with(f, "/dev/zero"); });
  add("model_is_an_empty_folder", [](const TemporaryFolder& f) {
    std::filesystem::create_directory(f.path() / "empty");
    return generate_with(f, f.path() / "empty");
  });
  add("prompt_file_missing", [=](const TemporaryFolder&) {
    return Arguments{"generate", model, "--prompt-file", "/no/such/prompt.txt"};
  });
  add("out_folder_missing", [=](const TemporaryFolder& f) {
    return Arguments{
        "logits", model, "--tokens", f.write("ids.json", "[1]"), "--out", "/no/such/folder/x.npy"};
  });
  add("text_too_short", [=](const TemporaryFolder& f) {
    return Arguments{"perplexity", model, "--file", f.write("text.txt", "short")};
  });
  add("context_2_30", [=](const TemporaryFolder&) {
    return Arguments{"generate", model, "--prompt", "a", "--ctx", "1073741824"};
  });
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_header_cases(cases);
  add_tensor_cases(cases);
  add_number_cases(cases);
  add_metadata_cases(cases);
  add_truncated_cases(cases);
  add_config_cases(cases);
  add_safetensors_cases(cases);
  add_tokenizer_cases(cases);
  add_template_cases(cases);
  add_request_cases(cases);
  return cases;
}

class HostileFile : public ::testing::TestWithParam<Case> {};

TEST_P(HostileFile, EndsWithOneClearLine) {
  const TemporaryFolder folder;
  const Arguments arguments = GetParam().prepare(folder);
  if (HasFailure()) return;
  const Outcome outcome = testing::run_program({arguments, "", {}, "", 20});
  EXPECT_EQ(outcome.signal, 0) << outcome.err;
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_GE(outcome.code, 1) << outcome.out;
  EXPECT_LE(outcome.code, 125);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("orrery: error: ")) << outcome.err;
  EXPECT_GT(outcome.err.size(), std::string("orrery: error: \n").size());
  EXPECT_LT(outcome.err.size(), 2000u) << outcome.err;
  for (const char c : outcome.err) EXPECT_TRUE(u8(c) >= 0x20 || c == '\n') << outcome.err;
  EXPECT_LT(outcome.memory_bytes, u64(512) << 20);
  EXPECT_LT(outcome.seconds, 10.0);
}

INSTANTIATE_TEST_SUITE_P(All, HostileFile, ::testing::ValuesIn(all_cases()),
                         [](const auto& test) { return test.param.name; });

// What the cases change is valid before they change it.
TEST(HostileFile, TheUnchangedModelsRun) {
  for (const Format format :
       {Format::kF32, Format::kQ8_0, Format::kQ4_0, Format::kQ4_1, Format::kQ5_1}) {
    const TemporaryFolder folder;
    const auto path = folder.path() / "model.gguf";
    ASSERT_TRUE(TinyGguf(format).write(path));
    const Outcome outcome = testing::run_program(generate_with(folder, path));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }
  const TemporaryFolder folder;
  EXPECT_EQ(testing::run_program(with_folder(folder, [](const TemporaryFolder&) {})).code, 0);
}

}  // namespace
}  // namespace orrery
