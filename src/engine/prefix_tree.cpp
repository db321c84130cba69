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
// From so many uses on (the first was to compute it) a page is worth keeping beyond memory.
constexpr u32 kUsesStored = 2;

u32 common_prefix(Tokens a, Tokens b) {
  const u64 n = std::min(a.size(), b.size());
  return u32(std::mismatch(a.begin(), a.begin() + i64(n), b.begin()).first - a.begin());
}

}  // namespace

bool PrefixTree::Less::operator()(Tokens a, Tokens b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

PrefixTree::PrefixTree(forward::PagePool& pool, Cost cost, PageStore* store,
                       std::optional<u32> states)
    : pool_(&pool),
      cost_(std::move(cost)),
      store_(store),
      has_states_(states.has_value()),
      states_(states.value_or(0)) {}

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

// Takes back what lies behind the last kept state.
void PrefixTree::end_at_state(Match& match, const Place& last) const {
  match.partial.reset();
  match.partial_tokens = 0;
  match.state = last.state;
  match.idle = last.idle;
  match.pages.resize(last.pages);
  if (last.tail) {
    match.partial = last.tail->page;
    match.partial_tokens = u32(last.tail->tokens().size());
  }
}

PrefixTree::Match PrefixTree::find(const std::string& key, Tokens tokens, u32 limit, bool use) {
  Match match;
  const auto root = roots_.find(key);
  if (root == roots_.end()) return match;
  ++calls_;
  Node* node = &root->second;
  Place last;
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
      if (child->state) last = {child->state, u32(match.pages.size()), match.idle, nullptr};
      node = child;
      continue;
    }
    if (usable >= kCopiedMin) {
      match.partial = child->page;
      match.partial_tokens = usable;
    }
    if (child->state && usable == child->tokens().size())
      last = {child->state, u32(match.pages.size()), match.idle, child};
    const Tokens next = child->tokens().subspan(common);
    match.cached_next.assign(next.begin(), next.begin() + i64(std::min(next.size(), kNextMax)));
    break;
  }
  if (has_states_) end_at_state(match, last);
  return match;
}

void PrefixTree::touch(Node& node, bool use) {
  const bool leaf = node.children.empty();
  if (leaf) leaves_.erase(&node);
  if (use) node.uses = std::min(node.uses + 1, kUsesMax);
  node.used = calls_;
  node.value = age_ + node.uses * cost_(node.depth * kPageTokens, u32(node.tokens().size()));
  if (leaf) leaves_.insert(&node);
  if (node.uses == kUsesStored) offer(node);
}

void PrefixTree::offer(const Node& node) {
  if (store_ && node.is_whole() && !store_->has(node.name)) store_->offer(node.name, node.page);
}

PrefixTree::Node& PrefixTree::root(const std::string& key) {
  const auto [place, made] = roots_.try_emplace(key);
  if (made && store_) place->second.name = root_name(store_->identity(), key);
  return place->second;
}

std::optional<u32> PrefixTree::insert(const std::string& key, Tokens tokens, u32 sequence,
                                      bool tail, bool state) {
  const u64 end = tail ? tokens.size() : tokens.size() / kPageTokens * kPageTokens;
  if (end == 0) return std::nullopt;
  ++calls_;
  Node* node = &root(key);
  for (u64 begin = 0; begin < end; begin += kPageTokens) {
    const Tokens part = tokens.subspan(begin, std::min<u64>(kPageTokens, end - begin));
    const u32 index = u32(begin / kPageTokens), page = pool_->page(sequence, index);
    Node* child = known(*node, part);
    if (!child) {
      pool_->keep(page);
      child = &add(*node, part, page);
    } else if (part.size() == kPageTokens) {
      pool_->replace(sequence, index, child->page);
    }
    node = child;
  }
  // A tail that knows more than this text ends elsewhere.
  const bool ends_here =
      end == tokens.size() && (end - 1) % kPageTokens + 1 == node->tokens().size();
  return state && ends_here ? take_state(*node) : std::nullopt;
}

// A free copy, or that which was not used for longest. One that is there has the same bits already.
std::optional<u32> PrefixTree::take_state(Node& node) {
  if (node.state || states_.empty()) return std::nullopt;
  const auto oldest = std::min_element(states_.begin(), states_.end(), [](Node* a, Node* b) {
    return a && b ? a->used < b->used : !a && b;
  });
  if (*oldest) (*oldest)->state.reset();
  *oldest = &node;
  node.state = u32(oldest - states_.begin());
  return node.state;
}

// Of a tail the child may know more.
PrefixTree::Node* PrefixTree::known(Node& parent, Tokens tokens) {
  const auto [near, common] = nearest(parent, tokens);
  return common == tokens.size() ? near : nullptr;
}

PrefixTree::Node& PrefixTree::add(Node& parent, Tokens tokens, u32 page) {
  const auto [near, common] = nearest(parent, tokens);
  if (parent.parent && parent.children.empty()) leaves_.erase(&parent);
  const auto place = parent.children
                         .try_emplace(std::vector<text::TokenId>(tokens.begin(), tokens.end()),
                                      std::make_unique<Node>())
                         .first;
  Node& node = *place->second;
  node.parent = &parent;
  node.place = place;
  node.page = page;
  node.depth = parent.parent ? parent.depth + 1 : 0;
  if (store_ && node.is_whole()) node.name = next_name(parent.name, tokens);
  ++size_;
  leaves_.insert(&node);
  touch(node, false);
  // A tail that has been gone on from is this page's beginning.
  if (near && common == near->tokens().size()) remove(*near);
  return node;
}

PrefixTree::Stored PrefixTree::stored(const std::string& key, Tokens tokens, u32 limit) const {
  Stored stored;
  const u32 most = limit / kPageTokens;
  const auto part = [&](u32 page) { return tokens.subspan(u64(page) * kPageTokens, kPageTokens); };
  PageName name = root_name(store_->identity(), key);
  const auto root = roots_.find(key);
  const Node* node = root == roots_.end() ? nullptr : &root->second;
  while (node && stored.first < most) {
    const auto child = node->children.find(part(stored.first));
    if (child == node->children.end()) break;
    node = child->second.get();
    name = node->name;
    ++stored.first;
  }
  for (u32 page = stored.first; page < most; ++page) {
    name = next_name(name, part(page));
    if (!store_->has(name)) break;
    stored.names.push_back(name);
  }
  return stored;
}

void PrefixTree::adopt(const std::string& key, Tokens tokens, u32 first,
                       std::span<const u32> pages) {
  if (pages.empty()) return;
  ++calls_;
  Node* node = &root(key);
  for (u32 index = 0; index < first + pages.size(); ++index) {
    const Tokens part = tokens.subspan(u64(index) * kPageTokens, kPageTokens);
    Node* child = node ? known(*node, part) : nullptr;
    if (index >= first) {
      const u32 page = pages[index - first];
      if (child || !node)
        pool_->drop(page);
      else
        child = &add(*node, part, page);
    }
    node = child;
  }
  forget_if_empty(roots_.at(key));
}

void PrefixTree::visit(const std::function<bool(const PageName&, u32 page)>& on_page) const {
  std::vector<const Node*> nodes;
  for (const auto& [key, root] : roots_)
    for (const auto& [tokens, child] : root.children) nodes.push_back(child.get());
  for (u64 i = 0; i < nodes.size(); ++i)
    for (const auto& [tokens, child] : nodes[i]->children) nodes.push_back(child.get());
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const Node* a, const Node* b) { return a->uses > b->uses; });
  for (const Node* node : nodes)
    if (node->is_whole() && !on_page(node->name, node->page)) return;
}

void PrefixTree::remove(Node& node) {
  leaves_.erase(&node);
  if (node.state) states_[*node.state] = nullptr;
  pool_->drop(node.page);
  --size_;
  Node& parent = *node.parent;
  parent.children.erase(node.place);
  if (!parent.children.empty()) return;
  if (parent.parent) {
    leaves_.insert(&parent);
    return;
  }
  forget_if_empty(parent);
}

void PrefixTree::forget_if_empty(Node& root) {
  if (root.children.empty())
    std::erase_if(roots_, [&](const auto& one) { return &one.second == &root; });
}

bool PrefixTree::evict() {
  for (Node* leaf : leaves_) {
    if (pool_->users(leaf->page) > 0) continue;
    age_ = std::max(age_, leaf->value);
    offer(*leaf);
    remove(*leaf);
    ++evicted_;
    return true;
  }
  return false;
}

}  // namespace orrery::engine
