// Names of models, revisions and files: how a user writes them, and which ones from a server may
// become a path.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/types.h"

namespace orrery::hub {

// ORG/NAME[@REVISION][:QUANT]; what was not given is empty. A revision is a branch, a tag or a
// commit; it is a safe path.
struct ModelName {
  std::string org, name, revision, quant;
  [[nodiscard]] std::string id() const { return org + "/" + name; }
};
[[nodiscard]] Result<ModelName> parse_model_name(std::string_view text);

// 40 lower-case hexadecimal digits.
[[nodiscard]] bool is_commit(std::string_view text);
// The name of a blob: 40 digits (the SHA-1 of git's blob object) or 64 (SHA-256 of the bytes).
[[nodiscard]] bool is_blob_key(std::string_view text);
// A relative path that stays in its folder: parts of printable characters, none of them ".", ".."
// or ".git" (in which a program could be named that git runs).
[[nodiscard]] bool is_safe_path(std::string_view path);

// 'text' in quotes, everything but printable ASCII escaped, cut after 80 bytes: for errors.
[[nodiscard]] std::string shown(std::string_view text);
[[nodiscard]] std::string lower(std::string_view text);
// "a, b, c and 7 more"
[[nodiscard]] std::string listed(std::span<const std::string> names, std::size_t shown_max = 24);

}  // namespace orrery::hub
