#include "checkpoint/packed_integers.h"

#include <algorithm>
#include <bit>

#include "checkpoint/names.h"
#include "checkpoint/row_values.h"

namespace orrery::checkpoint {
namespace {

constexpr u64 kBlock = 32, kQ8Bytes = 34, kQ4Bytes = 18;

// AWQ's nibble of row 0 .. 7 of a word.
constexpr u32 kInterleaved[8] = {0, 4, 1, 5, 2, 6, 3, 7};

// Integers of one row or column: the i-th is in word first + i / n * step, at bit shift + i % n *
// bits, where n is 2^in_word_log integers a word (no divisions: this is read for every weight).
struct Walk {
  u64 first, step;
  u32 in_word_log, shift;
};

class PackedEncoding final : public JoinedEncoding {
 public:
  PackedEncoding(const PackedIntegers& from, std::vector<u32> group_of)
      : JoinedEncoding({from.words, from.scales, from.zeros, from.groups}),
        p_(from),
        words_(from.words->bytes),
        scales_(from.scales->bytes),
        zeros_(from.zeros ? from.zeros->bytes : Bytes()),
        scale_format_(from.scales->format),
        group_of_(std::move(group_of)),
        mask_((1u << from.bits) - 1),
        middle_(1u << (from.bits - 1)),
        in_word_log_(u32(std::countr_zero(from.in_word()))),
        row_format_(choose_row_format()) {
    p_.words = p_.scales = p_.zeros = p_.groups = nullptr;  // views that do not outlive the joining
  }

  std::string_view name() const override {
    return p_.bits == 4 ? "integers of 4 bits" : "integers of 8 bits";
  }
  Format row_format() const override { return row_format_; }

  Result<void> read_row(u64 row, Format format, u8* out) const override {
    if (format == Format::kQ8_0) return read_blocks<kQ8Bytes>(row, out);
    if (format == Format::kQ4_0) return read_blocks<kQ4Bytes>(row, out);
    struct Group {
      i32 zero;
      f32 scale;
    };
    std::vector<Group> groups(p_.group_count());  // in order of activations, each is met many times
    for (u64 i = 0; i < groups.size(); ++i) groups[i] = {zero_at(row, i), scale_at(row, i)};
    const Walk walk = along_row(row);
    FloatRow to(format, out);
    for (u64 col = 0; col < p_.cols; ++col) {
      const Group& group = groups[group_of(col)];
      to.add(f32(integer(words_, walk, col) - group.zero) * group.scale);
    }
    return to.end();
  }

 private:
  i32 integer(Bytes words, const Walk& walk, u64 i, u32 added = 0) const {
    const u64 within = i & ((u64(1) << walk.in_word_log) - 1);
    const u32 word = load<u32>(words, walk.first + (i >> walk.in_word_log) * walk.step) + added;
    return i32(word >> (walk.shift + within * p_.bits) & mask_);
  }

  Walk along_row(u64 row) const {
    switch (p_.order) {
      case WordOrder::kColumns:
        return {row, p_.rows, in_word_log_, 0};
      case WordOrder::kRowsInterleaved:
        return {row / 8, p_.rows / 8, 0, kInterleaved[row % 8] * 4};
      default:
        return {row * divide_up(p_.cols, u64(p_.in_word())), 1, in_word_log_, 0};
    }
  }

  // The zero points of a row, one a group.
  Walk along_groups(u64 row) const {
    const u32 n = p_.in_word(), within = u32(row % n);
    if (p_.order == WordOrder::kRows) return {row / n * p_.group_count(), 1, 0, within * p_.bits};
    const u32 place = p_.order == WordOrder::kColumns ? within : kInterleaved[within];
    return {row / n, p_.rows / n, 0, place * p_.bits};
  }

  i32 zero_at(u64 row, u64 group) const {
    if (zeros_.empty()) return i32(middle_);
    return integer(zeros_, along_groups(row), group, p_.zero_words_added);
  }

  f32 scale_at(u64 row, u64 group) const {
    const u64 at =
        p_.order == WordOrder::kRows ? row * p_.group_count() + group : group * p_.rows + row;
    return load_scale(scale_format_, scales_, at);
  }

  u64 group_of(u64 col) const { return group_of_.empty() ? col / p_.group : group_of_[col]; }

  bool all_zeros_in_the_middle() const {
    u32 word = 0;
    for (u32 shift = 0; shift < 32; shift += p_.bits) word |= middle_ << shift;
    for (u64 i = 0; i < zeros_.size() / sizeof(u32); ++i)
      if (load<u32>(zeros_, i) + p_.zero_words_added != word) return false;
    return true;
  }

  // Blocks keep the integers where a block has one scale and q - zero fits; four bits around the
  // middle fit into Q4_0. Otherwise (groups in the order of activations) a float of two bytes.
  Format choose_row_format() const {
    const bool whole = group_of_.empty() && p_.cols % kBlock == 0 && p_.group % kBlock == 0;
    if (!whole) return Format::kBF16;
    const bool centred = all_zeros_in_the_middle();
    if (p_.bits == 4) return centred ? Format::kQ4_0 : Format::kQ8_0;
    return centred ? Format::kQ8_0 : Format::kBF16;
  }

  template <u64 bytes>
  Result<void> read_blocks(u64 row, u8* out) const {
    const Walk walk = along_row(row);
    for (u64 col = 0; col < p_.cols; col += kBlock, out += bytes) {
      const u64 group = col / p_.group;
      const i32 zero = zero_at(row, group);
      CHECK_OK(store_block_scale(scale_at(row, group), out));
      if constexpr (bytes == kQ8Bytes)
        for (u64 i = 0; i < kBlock; ++i) out[2 + i] = u8(integer(words_, walk, col + i) - zero);
      else
        for (u64 i = 0; i < kBlock / 2; ++i)
          out[2 + i] =
              u8(integer(words_, walk, col + i) | integer(words_, walk, col + i + kBlock / 2) << 4);
    }
    return {};
  }

  PackedIntegers p_;
  Bytes words_, scales_, zeros_;
  Format scale_format_;
  std::vector<u32> group_of_;  // empty: columns in order
  u32 mask_, middle_, in_word_log_;
  Format row_format_;
};

Result<void> check_shape(const TensorView& tensor, std::vector<u64> shape) {
  if (tensor.shape == shape) return {};
  return fail("tensor {} has the shape {}, but the other parts of its matrix ask for {}",
              shown(tensor.name), shape_text(tensor.shape), shape_text(shape));
}

Result<void> check_shapes(const PackedIntegers& p) {
  const u64 n = p.in_word(), groups = p.group_count();
  if (p.rows == 0 || p.cols == 0) return fail("tensor {} is empty", shown(p.words->name));
  if (p.order != WordOrder::kRows && p.rows % n != 0)
    return fail("tensor {}: {} rows are no multiple of {}", shown(p.words->name), p.rows, n);
  if (p.order == WordOrder::kColumns) CHECK_OK(check_shape(*p.words, {p.cols / n, p.rows}));
  if (p.order == WordOrder::kRowsInterleaved) CHECK_OK(check_shape(*p.words, {p.cols, p.rows / n}));
  if (p.order == WordOrder::kRows) {
    CHECK_OK(check_shape(*p.words, {p.rows, divide_up(p.cols, n)}));
    CHECK_OK(check_shape(*p.scales, {p.rows, groups}));
    if (p.zeros) CHECK_OK(check_shape(*p.zeros, {divide_up(p.rows, n), groups}));
  } else {
    CHECK_OK(check_shape(*p.scales, {groups, p.rows}));
    if (p.zeros) CHECK_OK(check_shape(*p.zeros, {groups, p.rows / n}));
  }
  if (p.groups) CHECK_OK(check_shape(*p.groups, {p.cols}));
  if (!is_scale_format(p.scales->format))
    return fail("tensor {} is {}, no format for scales", shown(p.scales->name),
                name(p.scales->format));
  return {};
}

// The group of each column where they are not simply in order; an error for one that is not there.
Result<std::vector<u32>> read_groups(const PackedIntegers& p) {
  if (!p.groups) return std::vector<u32>();
  std::vector<u32> groups(p.cols);
  bool in_order = true;
  for (u64 i = 0; i < p.cols; ++i) {
    const i32 group = load<i32>(p.groups->bytes, i);
    if (group < 0 || u64(group) >= p.group_count())
      return fail("tensor {}: column {} is in group {} of {}", shown(p.groups->name), i, group,
                  p.group_count());
    groups[i] = u32(group);
    in_order &= u64(group) == i / p.group;
  }
  if (in_order) groups.clear();
  return groups;
}

}  // namespace

Result<std::shared_ptr<const Encoding>> make_encoding(const PackedIntegers& packed) {
  CHECK_OK(check_shapes(packed));
  TRY(std::vector<u32> groups, read_groups(packed));
  return std::make_shared<PackedEncoding>(packed, std::move(groups));
}

}  // namespace orrery::checkpoint
