// Names from a file: which ones we accept as keys and tensor names, and how they are shown in
// errors.
//
// An error is one line, so whatever a file calls its parts must not break the line, fill the
// terminal or send it control codes.
#pragma once

#include <string>
#include <string_view>

#include "base/types.h"

namespace orrery::checkpoint {

// 'name' in quotes, with everything but printable ASCII escaped, cut after 80 bytes.
[[nodiscard]] std::string shown(std::string_view name);

// One to `bytes_max` bytes of UTF-8 without control characters.
[[nodiscard]] bool is_valid_name(std::string_view name, u64 bytes_max);

// A name of a file in the same folder: no separators, not "." or "..", so that no name from an
// index or from a caller can lead out of the folder.
[[nodiscard]] bool is_plain_file_name(std::string_view name);

}  // namespace orrery::checkpoint
