// Reading the kernel's small text files under /proc and /sys, whose size is not known beforehand,
// and the list syntax that they share. What is missing or malformed is simply nothing: no sandbox
// shows everything.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace orrery::plan {

// At most `bytes_max` bytes from the beginning of the file.
[[nodiscard]] std::optional<std::string> read_system_file(const std::filesystem::path& path,
                                                          u64 bytes_max = u64(1) << 20);

// A decimal number at the beginning of `text`; nothing when there is none or it overflows.
[[nodiscard]] std::optional<u64> parse_u64(std::string_view text);

// A CPU list such as "0-3,8,10-11", sorted and without repetition; nothing when it is malformed.
// Linux's list(5) form of cpuset(7).
[[nodiscard]] std::optional<std::vector<u32>> parse_cpu_list(std::string_view text);

// The text after "key" and following blanks and colons, of the first line that begins with it.
[[nodiscard]] std::optional<std::string_view> line_value(std::string_view text,
                                                         std::string_view key);

[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace orrery::plan
