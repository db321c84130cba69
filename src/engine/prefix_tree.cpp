#include "engine/prefix_tree.h"

#include <algorithm>

namespace orrery::engine {
namespace {

using forward::kPageTokens;
using Tokens = PrefixTree::Tokens;

// Below this a copy of the page is no quicker than computing its tokens.
constexpr u32 kCopiedMin = 4;
// More uses than this tell nothing new, and an old favourite must be able to go.
constexpr u32 kUsesMax = 8;
constexpr u64 kNextMax = 16;  // tokens that show how a cached text goes on

u32 common_prefix(Tokens a, Tokens b) {
  const u64 n = std::min(a.size(), b.size());
  return u32(std::mismatch(a.begin(), a.begin() + i64(n), b.begin()).first - a.begin());
}

}  // namespace

bool PrefixTree::Less::operator()(Tokens a, Tokens b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

PrefixTree::~PrefixTree() {
  // Trees may be deep: from the leaves up, not by recursion of destructors.
  while (!leaves_.empty()) remove(**leaves_.begin());
}

// Among keys in order the one with the longest common beginning is a neighbour of where the text
// would stand.
PrefixTree::Nearest PrefixTree::nearest(Node& parent, Tokens tokens) {
  Nearest best;
  const auto consider = [&](Children::iterator child) {
    const u32 common = common_prefix(child->first, tokens);
    if (common > best.common) best = {child->second.get(), common};
  };
  const auto after = parent.children.lower_bound(tokens);
  if (after != parent.children.end()) consider(after);
  if (after != parent.children.begin()) consider(std::prev(after));
  return best;
}

PrefixTree::Match PrefixTree::find(const std::string& key, Tokens tokens, u32 limit, bool use) {
  Match match;
  const auto root = roots_.find(key);
  if (root == roots_.end()) return match;
  ++calls_;
  Node* node = &root->second;
  while (true) {
    const Tokens rest = tokens.subspan(u64(match.pages.size()) * kPageTokens);
    const auto [child, common] =
        nearest(*node, rest.first(std::min<u64>(rest.size(), kPageTokens)));
    match.parted_at = u32(tokens.size() - rest.size()) + common;
    if (!child) break;
    const u32 usable = std::min(common, limit - u32(match.pages.size()) * kPageTokens);
    if (usable >= kCopiedMin && use) touch(*child, true);
    if (usable == kPageTokens) {
      match.pages.push_back(child->page);
      match.idle += pool_->users(child->page) == 0;
      node = child;
      continue;
    }
    if (usable >= kCopiedMin) {
      match.partial = child->page;
      match.partial_tokens = usable;
    }
    const Tokens next = child->tokens().subspan(common);
    match.cached_next.assign(next.begin(), next.begin() + i64(std::min(next.size(), kNextMax)));
    break;
  }
  return match;
}

void PrefixTree::touch(Node& node, bool use) {
  const bool leaf = node.children.empty();
  if (leaf) leaves_.erase(&node);
  if (use) node.uses = std::min(node.uses + 1, kUsesMax);
  node.used = calls_;
  node.value = age_ + node.uses * cost_(node.depth * kPageTokens, u32(node.tokens().size()));
  if (leaf) leaves_.insert(&node);
}

void PrefixTree::insert(const std::string& key, Tokens tokens, u32 sequence, bool tail) {
  const u64 end = tail ? tokens.size() : tokens.size() / kPageTokens * kPageTokens;
  if (end == 0) return;
  ++calls_;
  Node* node = &roots_[key];
  for (u64 begin = 0; begin < end; begin += kPageTokens)
    node = &add(*node, tokens.subspan(begin, std::min<u64>(kPageTokens, end - begin)), sequence,
                u32(begin / kPageTokens));
}

PrefixTree::Node& PrefixTree::add(Node& parent, Tokens tokens, u32 sequence, u32 index) {
  const u32 page = pool_->page(sequence, index);
  const auto [near, common] = nearest(parent, tokens);
  if (near && common == tokens.size()) {  // known; of a tail perhaps more than that
    if (tokens.size() == kPageTokens) pool_->replace(sequence, index, near->page);
    return *near;
  }
  if (parent.parent && parent.children.empty()) leaves_.erase(&parent);
  const auto place = parent.children
                         .try_emplace(std::vector<text::TokenId>(tokens.begin(), tokens.end()),
                                      std::make_unique<Node>())
                         .first;
  Node& node = *place->second;
  node.parent = &parent;
  node.place = place;
  node.page = page;
  node.depth = index;
  pool_->keep(page);
  ++size_;
  leaves_.insert(&node);
  touch(node, false);
  // A tail that has been gone on from is this page's beginning.
  if (near && common == near->tokens().size()) remove(*near);
  return node;
}

void PrefixTree::remove(Node& node) {
  leaves_.erase(&node);
  pool_->drop(node.page);
  --size_;
  Node& parent = *node.parent;
  parent.children.erase(node.place);
  if (!parent.children.empty()) return;
  if (parent.parent) {
    leaves_.insert(&parent);
    return;
  }
  std::erase_if(roots_, [&](const auto& root) { return &root.second == &parent; });
}

bool PrefixTree::evict() {
  for (Node* leaf : leaves_) {
    if (pool_->users(leaf->page) > 0) continue;
    age_ = std::max(age_, leaf->value);
    remove(*leaf);
    ++evicted_;
    return true;
  }
  return false;
}

}  // namespace orrery::engine
