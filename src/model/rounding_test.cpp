// Rounding on the way in: float weights become what a quantizer would have written.
#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/checkpoint.h"
#include "kernels/encode.h"
#include "model/weights.h"

namespace orrery::model {
namespace {

const std::string kModels = ORRERY_SOURCE_DIR "/tests/golden/models/";

Result<Model> load(const std::string& path, BindOptions options) {
  TRY(const auto checkpoint, checkpoint::Checkpoint::open(kModels + path));
  TRY(const Description description, describe(*checkpoint));
  ThreadTeam team(2);
  return model::bind(*checkpoint, description, options, parallel_on(team), no_progress());
}

// kernels/encode.h gives what PyPI `gguf` gives (its own test); here: it meets the right rows.
TEST(RoundTo, PacksRowsAsAQuantizerWritesThem) {
  const auto checkpoint = checkpoint::Checkpoint::open(kModels + "llama_bf16/hf");
  ASSERT_TRUE(checkpoint);
  for (const Format format : {Format::kQ4_0, Format::kQ4_1, Format::kQ8_0}) {
    const auto model = load("llama_bf16/hf", {.round_to = format});
    ASSERT_TRUE(model) << model.error().message;
    u32 next = 0, compared = 0;
    for (const BoundTensor& tensor : model->tensors) {
      if (form(tensor.role) == Form::kVector) continue;
      const Matrix& matrix = model->weights.matrices[next++];
      const bool at_an_end = tensor.role == Role::kEmbedding || tensor.role == Role::kOutput;
      EXPECT_EQ(tensor.packed_from, at_an_end ? Format::kQ8_0 : format) << tensor.name;
      std::vector<std::vector<u8>> rows(kernels::kPanelRows);
      const u8* from[kernels::kPanelRows];
      for (u32 r = 0; r < kernels::kPanelRows; ++r) {
        std::vector<f32> values(matrix.cols);
        const u8* stored = (*checkpoint)->find(tensor.name)->bytes.data();
        kernels::decode(Format::kBF16, stored + u64(r) * matrix.cols * 2, matrix.cols,
                        values.data());
        rows[r].resize(*row_bytes(tensor.packed_from, matrix.cols));
        ASSERT_TRUE(
            kernels::encode(tensor.packed_from, values.data(), matrix.cols, rows[r].data()));
        from[r] = rows[r].data();
      }
      std::vector<u8> panel(matrix.panel_bytes);
      kernels::pack_panel(tensor.packed_from, matrix.layout, from, matrix.cols, panel.data());
      EXPECT_EQ(std::memcmp(panel.data(), matrix.data, panel.size()), 0) << tensor.name;
      ++compared;
    }
    EXPECT_EQ(compared, 1u + 2u * 7u);  // the output is the embedding
  }
}

TEST(RoundTo, RefusesWhatCannotBeWritten) {
  const auto model = load("llama_bf16/hf", {.round_to = Format::kQ6_K});
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("q4_0"), std::string::npos) << model.error().message;
}

}  // namespace
}  // namespace orrery::model
