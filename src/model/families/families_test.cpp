// Descriptions of published models against what their makers state, and of models that we lack.
#include "model/families/families.h"

#include <gtest/gtest.h>

#include "checkpoint/config_only.h"
#include "model/families/published.h"

namespace orrery::model {
namespace {

struct Count {
  const char* name;
  u64 parameters;
};

// Exact sums of the published tensors.
constexpr Count kCounts[] = {
    {"Llama-2-7B", 6'738'415'616},        {"Llama-3-8B", 8'030'261'248},
    {"Mistral-7B-v0.1", 7'241'732'096},   {"Mixtral-8x7B", 46'702'792'704},
    {"Qwen2.5-7B", 7'615'616'512},        {"Qwen3-30B-A3B", 30'532'122'624},
    {"DeepSeek-V2-Lite", 15'706'484'224}, {"DeepSeek-V3", 671'026'419'200},
    {"SmolLM2-135M", 134'515'008},
};

TEST(Published, CountsAreTheMakers) {
  for (const Count& count : kCounts) {
    const Published* model = find_published(count.name);
    ASSERT_NE(model, nullptr) << count.name;
    const auto spec = describe(*model);
    ASSERT_TRUE(spec) << count.name << ": " << spec.error().message;
    EXPECT_EQ(parameter_count(*spec), count.parameters) << count.name;
  }
}

TEST(Published, AllDescribeThemselvesAndReadEveryKey) {
  EXPECT_GE(published().size(), 24u);
  for (const Published& model : published()) {
    const auto checkpoint = checkpoint::open_config(model.config, std::string(model.name));
    ASSERT_TRUE(checkpoint) << model.name << ": " << checkpoint.error().message;
    const auto description = describe(**checkpoint);
    ASSERT_TRUE(description) << model.name << ": " << description.error().message;
    EXPECT_LE(active_parameter_count(description->spec), parameter_count(description->spec));
    for (const std::string& key : (*checkpoint)->config().unread())
      ADD_FAILURE() << model.name << ": nobody read " << key;
  }
}

TEST(Published, ActiveParametersAreThoseOfTheName) {
  const auto active = [](const char* name) {
    return f64(active_parameter_count(*describe(*find_published(name)))) / 1e9;
  };
  EXPECT_NEAR(active("Qwen3-30B-A3B"), 3.3, 0.1);
  EXPECT_NEAR(active("DeepSeek-V3"), 37, 1);
  EXPECT_NEAR(active("Mixtral-8x7B"), 12.9, 0.1);
  EXPECT_NEAR(active("gpt-oss-20b"), 3.6, 0.6);  // the makers leave out the embedding
}

std::string refusal(std::string_view config) {
  const auto checkpoint = checkpoint::open_config(config, "config.json");
  if (!checkpoint) return checkpoint.error().message;
  const auto description = describe(**checkpoint);
  return description ? "" : description.error().message;
}

TEST(Families, WhatWeLackIsNamedWithWhatItNeeds) {
  EXPECT_EQ(refusal(R"({"architectures": ["Gemma3ForCausalLM"]})"),
            "the architecture \"Gemma3ForCausalLM\" is not supported: it needs post-norms, "
            "soft-capping and its own activation");
  for (const char* name : {"DeepseekV4ForCausalLM", "KimiLinearForCausalLM", "MambaForCausalLM"})
    EXPECT_NE(refusal(fmt::format(R"({{"architectures": ["{}"]}})", name)).find("it needs"),
              std::string::npos)
        << name;
  EXPECT_NE(refusal(R"({"architectures": ["NobodysForCausalLM"]})").find("(supported: Llama"),
            std::string::npos);
}

}  // namespace
}  // namespace orrery::model
