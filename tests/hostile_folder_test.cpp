// Hugging Face folders that lie: a valid tiny model of which one file is changed.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "support/hostile.h"

namespace orrery {
namespace {

using nlohmann::json;
using testing::Arguments;
using testing::generate_with;
using testing::read_file;
using testing::TemporaryFolder;
using Case = testing::HostileCase;

Arguments with_folder(const TemporaryFolder& folder,
                      const std::function<void(const TemporaryFolder&)>& change) {
  for (const char* name :
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(testing::kGoldenModels + "llama_f32/hf/" + name,
                               folder.path() / name);
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

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_config_cases(cases);
  add_safetensors_cases(cases);
  return cases;
}

class HostileFolder : public ::testing::TestWithParam<Case> {};

TEST_P(HostileFolder, EndsWithOneClearLine) { testing::expect_one_clear_line(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, HostileFolder, ::testing::ValuesIn(all_cases()),
                         testing::name_of_case);

// What the cases change is valid before they change it.
TEST(HostileFolder, TheUnchangedModelRuns) {
  const TemporaryFolder folder;
  EXPECT_EQ(testing::run_program(with_folder(folder, [](const TemporaryFolder&) {})).code, 0);
}

}  // namespace
}  // namespace orrery
