// Base64 (RFC 4648) as tokenizer files use it for bytes.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orrery::text {

// An error for any other character, and for padding elsewhere than at the end.
[[nodiscard]] Result<std::string> decode_base64(std::string_view text);

}  // namespace orrery::text
