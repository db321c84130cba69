// PrefixTree: texts whose keys and values are still in pages, so that a prompt which begins like
// one of them need not be computed again.
//
// A node is a page: up to kPageTokens tokens that follow those of its parent; only whole pages have
// children. Whole pages are shared with the sequences that use them; of a page that agrees in part
// the caller takes a copy. Texts of different keys never meet: a key names who may share (an owner)
// and what else the cached values depend on.
//
// What goes first is what is cheapest to have again for the memory it takes, aged by use
// (GreedyDual-Size-Frequency: Cherkasova 1998, after Young 1994), the least recently used first
// among equals; all pages are of one size here. Pages that sequences use stay. Where there is a
// PageStore, it is offered the pages that are given up, and those that have been of use.
//
// Models with recurrent states can go on only from where a copy of the state was kept: those copies
// have numbers here, and the longest cached beginning ends at one of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/page_store.h"
#include "forward/page_pool.h"
#include "text/tokenizer.h"

namespace orrery::engine {

class PrefixTree {
 public:
  using Tokens = std::span<const text::TokenId>;
  // Seconds that computing `count` tokens from position `begin` on would take.
  using Cost = std::function<f64(u32 begin, u32 count)>;

  // `states`: how many copies of states there may be; absent: the model has none.
  PrefixTree(forward::PagePool& pool, Cost cost, PageStore* store, std::optional<u32> states);
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  struct Match {
    std::vector<u32> pages;      // whole ones, in order
    std::optional<u32> partial;  // a page of which the first `partial_tokens` go on from there
    u32 partial_tokens = 0;
    std::optional<u32> state;                // to go on with
    u32 idle = 0;                            // how many of `pages` no sequence uses
    u32 parted_at = 0;                       // tokens that the nearest cached text has in common
    std::vector<text::TokenId> cached_next;  // how that text goes on, a few tokens

    [[nodiscard]] u32 tokens() const {
      return u32(pages.size()) * forward::kPageTokens + partial_tokens;
    }
  };
  // The longest cached beginning of `tokens`, of at most `limit` tokens. Counts as a use if `use`.
  [[nodiscard]] Match find(const std::string& key, Tokens tokens, u32 limit, bool use);

  // Keeps the whole pages of the sequence, whose computed tokens these are; where they are known
  // already, the sequence gets the known page in place of its own. `tail`: the last page, too, even
  // if it is not full; then nothing may be computed into it any more. `state`: returns where to
  // copy the sequence's states to, at once; nothing where that is not wanted.
  std::optional<u32> insert(const std::string& key, Tokens tokens, u32 sequence, bool tail,
                            bool state);

  // How the text goes on in the store, from where the tree knows whole pages of it no more.
  struct Stored {
    u32 first = 0;  // pages that the tree knows
    std::vector<PageName> names;
  };
  [[nodiscard]] Stored stored(const std::string& key, Tokens tokens, u32 limit) const;
  // Takes pages that are kept already and hold the tokens from page `first` on. Those that are
  // known by now, or whose beginning is known no more, are dropped.
  void adopt(const std::string& key, Tokens tokens, u32 first, std::span<const u32> pages);
  // All whole pages, the most used first and no page before its parent, until `on_page` is false.
  void visit(const std::function<bool(const PageName&, u32 page)>& on_page) const;

  // Gives up one page that no sequence uses; false when there is none.
  [[nodiscard]] bool evict();
  [[nodiscard]] u64 evicted() const { return evicted_; }
  [[nodiscard]] u32 size() const { return size_; }  // pages

 private:
  struct Less {
    using is_transparent = void;
    bool operator()(Tokens a, Tokens b) const;
  };
  struct Node;
  using Children = std::map<std::vector<text::TokenId>, std::unique_ptr<Node>, Less>;
  struct Node {
    Node* parent = nullptr;
    Children::iterator place;  // in the parent's children; the key there is this page's tokens
    u32 page = 0, depth = 0;   // depth: pages before it
    u32 uses = 1;
    f64 value = 0;
    u64 used = 0;  // when last, in calls
    std::optional<u32> state;
    PageName name;  // of a root and a whole page, if there is a store
    Children children;

    [[nodiscard]] Tokens tokens() const { return place->first; }
    [[nodiscard]] bool is_whole() const { return tokens().size() == forward::kPageTokens; }
  };
  struct Cheaper {
    bool operator()(const Node* a, const Node* b) const {
      if (a->value != b->value) return a->value < b->value;
      return a->used != b->used ? a->used < b->used : a->page < b->page;
    }
  };
  struct Nearest {
    Node* node = nullptr;
    u32 common = 0;
  };
  // A kept state on the way: with it `pages` whole pages and, if there is one, all of a tail.
  struct Place {
    std::optional<u32> state;
    u32 pages = 0, idle = 0;
    Node* tail = nullptr;
  };
  [[nodiscard]] static Nearest nearest(Node& parent, Tokens tokens);
  void end_at_state(Match& match, const Place& last) const;
  [[nodiscard]] Node& root(const std::string& key);
  // The child that knows these tokens; null: none.
  [[nodiscard]] static Node* known(Node& parent, Tokens tokens);
  // A new child, of a page that is kept.
  Node& add(Node& parent, Tokens tokens, u32 page);
  void offer(const Node& node);
  [[nodiscard]] std::optional<u32> take_state(Node& node);
  void touch(Node& node, bool use);
  void remove(Node& node);
  void forget_if_empty(Node& root);

  forward::PagePool* pool_;
  Cost cost_;
  PageStore* store_;
  bool has_states_;
  std::vector<Node*> states_;  // whose each copy is; null: nobody's
  std::map<std::string, Node> roots_;
  std::set<Node*, Cheaper> leaves_;
  f64 age_ = 0;  // the value of what was given up last
  u64 calls_ = 0, evicted_ = 0;
  u32 size_ = 0;
};

}  // namespace orrery::engine
