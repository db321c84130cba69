// Encoding: float32 to a file format, bit for bit what PyPI `gguf` gives. A loader makes smaller
// weights of large ones with it.
#pragma once

#include "base/format.h"
#include "base/types.h"

namespace orrery::kernels {

// Encodes `n` values (whole blocks) into row_bytes(format, n) bytes. False for a format that has no
// encoder. Any floats are safe; what is not finite gives a block that is not, or zeros.
bool encode(Format format, const f32* from, u64 n, u8* to);
[[nodiscard]] bool can_encode(Format format);

}  // namespace orrery::kernels
