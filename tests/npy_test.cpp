// The .npy reader of the goldens: a golden must be read as what it is or not at all.
#include "support/npy.h"

#include <gtest/gtest.h>

namespace orrery::testing {
namespace {

std::string npy(std::string_view type, std::string_view order, std::string_view shape,
                std::string_view data) {
  std::string header = "{'descr': '" + std::string(type) +
                       "', 'fortran_order': " + std::string(order) +
                       ", 'shape': " + std::string(shape) + ", }\n";
  std::string file("\x93NUMPY\x01\x00", 8);
  file += char(header.size() % 256);
  file += char(header.size() / 256);
  return file + header + std::string(data);
}

TEST(Npy, ReadsShapeAndValuesInOrder) {
  const f32 values[] = {1, -2.5F, 3, 4, 5, 1e-40F};
  const std::string data(reinterpret_cast<const char*>(values), sizeof values);
  const auto array = parse_npy<f32>(npy("<f4", "False", "(2, 3)", data));
  EXPECT_EQ(array.shape, (std::vector<u64>{2, 3}));
  EXPECT_EQ(array.values, std::vector<f32>(values, values + 6));
}

TEST(Npy, ReadsOneDimensionScalarsAndNothing) {
  const i64 values[] = {-1, i64(1) << 40};
  const std::string data(reinterpret_cast<const char*>(values), sizeof values);
  EXPECT_EQ(parse_npy<i64>(npy("<i8", "False", "(2,)", data)).values[1], i64(1) << 40);
  EXPECT_TRUE(parse_npy<i64>(npy("<i8", "False", "()", data.substr(8))).shape.empty());
  EXPECT_TRUE(parse_npy<f32>(npy("<f4", "False", "(0, 7)", "")).values.empty());
}

TEST(Npy, RefusesWhatItIsNot) {
  const std::string four(16, '\0');
  const std::string good = npy("<f4", "False", "(4,)", four);
  EXPECT_NO_THROW((void)parse_npy<f32>(good));
  EXPECT_THROW((void)parse_npy<i64>(good), std::runtime_error);
  EXPECT_THROW((void)parse_npy<f32>(npy(">f4", "False", "(4,)", four)), std::runtime_error);
  EXPECT_THROW((void)parse_npy<f32>(npy("<f4", "True", "(4,)", four)), std::runtime_error);
  EXPECT_THROW((void)parse_npy<f32>(npy("<f4", "False", "(5,)", four)), std::runtime_error);
  EXPECT_THROW((void)parse_npy<f32>(npy("<f4", "False", "(3,)", four)), std::runtime_error);
  EXPECT_THROW((void)parse_npy<f32>(npy("<f4", "False", "(-4,)", four)), std::runtime_error);
  // 2^62 * 2^2 wraps to 0, and 0 values would be no bytes.
  EXPECT_THROW((void)parse_npy<f32>(npy("<f4", "False", "(4611686018427387904, 4)", "")),
               std::runtime_error);
}

TEST(Npy, RefusesEveryTruncation) {
  const std::string good = npy("<f4", "False", "(4,)", std::string(16, '\0'));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW((void)parse_npy<f32>(std::string_view(good).substr(0, size)), std::runtime_error)
        << size;
  }
}

TEST(Npy, ReadsACommittedGolden) {
  const auto folder = std::filesystem::path(ORRERY_SOURCE_DIR) / "tests/golden/models/llama_f32";
  EXPECT_EQ(read_npy<f32>(folder / "residuals.npy").shape, (std::vector<u64>{3, 7, 64}));
  EXPECT_THROW((void)read_npy<f32>(folder / "absent.npy"), std::runtime_error);
}

}  // namespace
}  // namespace orrery::testing
