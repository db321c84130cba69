// PageStore: cached pages outside of memory, as the prefix tree sees them.
//
// A page is called by a hash over all of the text up to its end, over whose text it is, and over
// everything else that its bytes depend on; so a name says what is in the page, and no index is
// needed to find how a text goes on. Only whole pages have names.
#pragma once

#include <span>
#include <string_view>

#include "base/sha256.h"
#include "text/tokenizer.h"

namespace orrery::engine {

using PageName = Sha256;

// What the name of a text's first page grows from. `identity`: of the model, its keys' and values'
// format, and whatever else changes them; `key`: who may share (PrefixTree).
[[nodiscard]] PageName root_name(std::string_view identity, std::string_view key);
// Of the page that holds `tokens` behind the page (or root) `before`.
[[nodiscard]] PageName next_name(const PageName& before, std::span<const text::TokenId> tokens);

class PageStore {
 public:
  virtual ~PageStore() = default;
  [[nodiscard]] virtual const std::string& identity() const = 0;
  [[nodiscard]] virtual bool has(const PageName& name) const = 0;
  // Takes a copy of the page, if it can and has none. The page is whole and nobody writes to it
  // during the call.
  virtual void offer(const PageName& name, u32 page) = 0;
};

}  // namespace orrery::engine
