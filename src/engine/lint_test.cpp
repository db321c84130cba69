// The faults that lint is there for, each made on purpose, and files without fault.
#include "engine/lint.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"
#include "support/tiny_gguf.h"

namespace orrery::engine {
namespace {

using testing::TemporaryFolder;
using testing::TinyGguf;

const std::string kModels = ORRERY_SOURCE_DIR "/tests/golden/models/";

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += sentence + "\n";
  return text;
}

TextFiles with_template(const std::string& source, bool add_bos = false) {
  const std::vector<std::string> tokens = {"a", "<s>"};
  const std::vector<i64> types = {1, 3};
  text::Tokenizer::GgufMetadata metadata;
  metadata.model = "gpt2";
  metadata.pre = "gpt-2";
  metadata.tokens = tokens;
  metadata.token_types = types;
  metadata.bos = 1;
  metadata.add_bos = add_bos;
  auto tokenizer = text::Tokenizer::from_gguf(metadata);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  TextFiles files;
  files.tokenizer = std::move(*tokenizer);
  files.variables["bos_token"] = "<s>";
  files.template_source = source;
  return files;
}

// Marks every message, has tools and a generation prompt.
const std::string kGood =
    "{% for t in tools or [] %}{{ t|tojson }}{% endfor %}"
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

std::string without(std::string text, const std::string& part) {
  const auto at = text.find(part);
  EXPECT_NE(at, std::string::npos);
  return text.erase(at, part.size());
}

TEST(LintChat, FindsNothingWhereNothingIsWrong) {
  EXPECT_EQ(joined(lint_chat(with_template(kGood))), "");
  // The prompt of these is part of every user's message.
  EXPECT_EQ(joined(lint_chat(with_template(
                "{{ tools }}{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }}"
                "{% else %}[{{ m.content }}]{% endif %}{% endfor %}"))),
            "");
}

TEST(LintChat, FindsWhatIsWrong) {
  const auto expect = [](const std::string& source, const std::string& what) {
    const std::string found = joined(lint_chat(with_template(source, true)));
    EXPECT_NE(found.find(what), std::string::npos) << source << ": " << found;
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 1) << found;
  };
  expect("{{ bos_token }}" + kGood, "BOS");
  expect(without(kGood, "{% if add_generation_prompt %}<|assistant|>{% endif %}"),
         "no generation prompt");
  expect(without(kGood, "{% for t in tools or [] %}{{ t|tojson }}{% endfor %}"), "ignores tools");
  expect("{% for m in messages if m.role == 'system' %}{{ raise_exception('no') }}{% endfor %}" +
             kGood,
         "takes no system message");
  expect("{% if %}", "is broken");
  expect("{{ raise_exception('never') }}", "fails for a plain chat");
}

std::string lint_of(const std::string& path) {
  const auto checkpoint = checkpoint::Checkpoint::open(path);
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  const auto description = model::describe(**checkpoint);
  EXPECT_TRUE(description) << description.error().message;
  TextFiles text;
  if (auto opened = open_text_files(path))
    text = std::move(*opened);
  else
    text.why_no_tokenizer = opened.error().message;
  return joined(lint(*description, text));
}

TEST(Lint, FindsWhatAFileDoesNotSay) {
  const auto expect = [](const std::function<void(TinyGguf&)>& change, const std::string& what) {
    const TemporaryFolder folder;
    TinyGguf model;
    change(model);
    ASSERT_TRUE(model.write(folder.path() / "model.gguf"));
    const std::string found = lint_of(folder.path() / "model.gguf");
    EXPECT_NE(found.find(what), std::string::npos) << what << " is not in: " << found;
  };
  expect(
      [](TinyGguf& m) {
        m.set("llama.rope.freq_base", {500000.0f});
        m.set("llama.context_length", {u32(131072)});
      },
      "rope_freqs.weight");
  const auto add_tokenizer = [](TinyGguf& m, u32 tokens) {
    checkpoint::GgufArray names{8, {}};  // of strings
    for (u32 i = 0; i < tokens; ++i)
      names.elements.push_back({std::string(1 + i / 26, char(97 + i % 26))});
    m.set("tokenizer.ggml.model", {std::string("gpt2")});
    m.set("tokenizer.ggml.pre", {std::string("gpt-2")});
    m.set("tokenizer.ggml.tokens", {names});
    m.set("tokenizer.ggml.merges", {checkpoint::GgufArray{8, {}}});
  };
  expect([&](TinyGguf&) {}, "takes and gives only ids");
  expect([&](TinyGguf& m) { add_tokenizer(m, 64); }, "no token ends a reply");
  expect([&](TinyGguf& m) { add_tokenizer(m, 65); }, "some texts will fail");
  expect([&](TinyGguf& m) { add_tokenizer(m, 30); }, "another model's");
}

TEST(Lint, PlainModelsHaveNoFault) {
  for (const char* model : {"llama_f32/hf", "llama_f32/model.gguf", "deepseek_v3/model.gguf"})
    EXPECT_EQ(lint_of(kModels + model), "the template ignores tools\n") << model;
}

}  // namespace
}  // namespace orrery::engine
