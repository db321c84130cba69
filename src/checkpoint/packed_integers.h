// Matrices of small integers in 32-bit words, with a scale and a zero point for each group of
// neighbouring columns: value = (q - zero) * scale. GPTQ, AWQ and compressed-tensors differ in the
// order of the words and of the integers in them, which a WordOrder says.
#pragma once

#include "checkpoint/parts.h"

namespace orrery::checkpoint {

enum class WordOrder : u8 {
  kColumns,          // GPTQ: a word is neighbours of a column of [in, out]; words [in / n, out]
  kRowsInterleaved,  // AWQ: eight rows in the order 0 2 4 6 1 3 5 7; words [in, out / 8]
  kRows,             // compressed-tensors: a word is neighbours of a row; words [out, in / n]
};

struct PackedIntegers {
  WordOrder order;
  u32 bits;  // 4 or 8
  // What is added to a word of zero points: GPTQ took a one from each of them, as one subtraction
  // of the word, so that a zero point of 0 borrows from its neighbour; only the same addition is
  // exact.
  u32 zero_words_added;
  u64 rows, cols;  // of the matrix, [out, in]
  u64 group;       // columns that share a scale
  const TensorView* words;
  const TensorView* scales;
  const TensorView* zeros = nullptr;   // null: the middle, 2^(bits - 1)
  const TensorView* groups = nullptr;  // i32 [cols]: the group of each column; null: in order

  [[nodiscard]] u64 group_count() const { return divide_up(cols, group); }
  [[nodiscard]] u32 in_word() const { return 32 / bits; }
};

// Holds the parts' shapes and the groups against the sizes, and makes the encoding. What the parts
// are called is for errors.
[[nodiscard]] Result<std::shared_ptr<const Encoding>> make_encoding(const PackedIntegers& packed);

}  // namespace orrery::checkpoint
