// SHA-256 of a few pieces of bytes (FIPS 180-4, by OpenSSL), for names that nobody can make two
// contents of.
#pragma once

#include <array>
#include <initializer_list>

#include "base/types.h"

namespace orrery {

using Sha256 = std::array<u8, 32>;

[[nodiscard]] Sha256 sha256(std::initializer_list<Bytes> pieces);

}  // namespace orrery
