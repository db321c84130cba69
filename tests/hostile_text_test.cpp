// Tokenizers, templates and requests that lie.
#include <gtest/gtest.h>

#include <fmt/format.h>

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

Case tokenizer(std::string name, const std::string& text) {
  return {"tokenizer_" + name, [text](const TemporaryFolder& folder) {
            return Arguments{"tokenize", folder.write("tokenizer.json", text), "Hello"};
          }};
}
Case tokenizer_with(std::string name, const std::function<void(json&)>& change) {
  json data = json::parse(read_file(testing::kGoldenModels + "llama_f32/hf/tokenizer.json"));
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
            std::filesystem::copy_file(testing::kGoldenModels + "llama_f32/hf/tokenizer.json",
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
  const std::string model = testing::kGoldenModels + "llama_f32/model.gguf";
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
  add_tokenizer_cases(cases);
  add_template_cases(cases);
  add_request_cases(cases);
  return cases;
}

class HostileText : public ::testing::TestWithParam<Case> {};

TEST_P(HostileText, EndsWithOneClearLine) { testing::expect_one_clear_line(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, HostileText, ::testing::ValuesIn(all_cases()), testing::name_of_case);

}  // namespace
}  // namespace orrery
