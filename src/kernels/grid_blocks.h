// Readers of GGUF's IQ formats of one to three bits, whose values come from code books: an index of
// 8 to 11 bits is 4 or 8 values at once. Signs are stored apart (IQ2, IQ3), or all values of an
// entry are moved by an eighth (IQ1).
//
// They are read into a BlockS as products of integers: what the format's definition multiplies as
// fractions (0.5 + scale, a quarter, an eighth) is a factor of d in shape_of().
#pragma once

#include "kernels/blocks.h"

namespace orrery::kernels {

// False for a format that has no code book.
bool read_grid_block(Format format, const u8* from, BlockS& to);

}  // namespace orrery::kernels
