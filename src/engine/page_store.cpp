#include "engine/page_store.h"

namespace orrery::engine {
namespace {

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

}  // namespace

PageName root_name(std::string_view identity, std::string_view key) {
  const Sha256 first = sha256({bytes_of(identity)}), second = sha256({bytes_of(key)});
  return sha256({Bytes(first), Bytes(second)});
}

PageName next_name(const PageName& before, std::span<const text::TokenId> tokens) {
  return sha256({Bytes(before), {reinterpret_cast<const u8*>(tokens.data()), tokens.size_bytes()}});
}

}  // namespace orrery::engine
