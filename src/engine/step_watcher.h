// StepWatcher: passes of one sequence whose inner values are wanted: it subscribes to the points,
// runs the pass, and turns the ring's events into what was seen of each token.
//
// Works between passes, on the thread that owns the engine. Deliberately not here: which values are
// worth their cost (WatchedRun decides), frames, viewers.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/observation.h"

namespace orrery::engine {

struct PassWants {
  bool residual = false;   // of tokens that give logits
  bool route = false;      // of every token
  bool attention = false;  // queries and outputs of all layers, of the last token
};

class StepWatcher {
 public:
  explicit StepWatcher(Engine& engine);

  // Runs a pass over tokens of one sequence; seen[i] belongs to the batch's token i. Values beyond
  // what the ring holds are dropped, and then the step says that it was thinned.
  [[nodiscard]] Result<void> pass(const forward::Batch& batch, const PassWants& wants,
                                  std::vector<StepSeen>& seen);
  // Seconds of the last pass that went into watching: what the taps cost in it, and reading them.
  [[nodiscard]] f64 pass_seconds() const { return pass_seconds_; }

  // Of the last token of the last pass, which must have wanted attention.
  [[nodiscard]] bool has_rows(u32 layer) const { return heads_of(layer) > 0; }
  [[nodiscard]] u32 heads_of(u32 layer) const;
  [[nodiscard]] LayerStat stat(u32 layer, bool check_all);
  [[nodiscard]] LayerTop top(u32 layer);
  [[nodiscard]] HeadRow row(u32 layer, u32 head);

  // The queries [heads, query_dim] of one layer for every token of a pass, with the positions that
  // an indexer chose for it. The batch may have at most queries_max() tokens.
  struct RowQuery {
    std::vector<f32> query;
    std::vector<u32> chosen;
  };
  [[nodiscard]] Result<std::vector<RowQuery>> queries(const forward::Batch& batch, u32 layer);
  [[nodiscard]] u32 queries_max() const;

  // How many tokens a pass may have so that the ring holds what it says.
  [[nodiscard]] u32 tokens_max(const PassWants& wants, bool all_logits) const;
  [[nodiscard]] u64 memory_bytes() const { return ring_.capacity_bytes(); }

 private:
  struct Residual {
    std::vector<f32> before, after_attention;  // [dim]
  };
  void take(const trace::Event& event, StepSeen& seen, bool is_last);
  void take_route(const trace::Event& event, StepSeen& seen);
  [[nodiscard]] std::vector<forward::AttentionRow> rows(u32 layer, u32 begin, u32 count,
                                                        bool with_read);

  Engine* engine_;
  trace::Ring ring_;
  trace::TapOn tap_;
  trace::Event event_;
  Residual residual_;
  u32 sequence_ = 0, position_ = 0;        // of the last token
  std::vector<std::vector<f32>> queries_;  // [layers] of it
  std::vector<std::vector<f32>> outputs_;  // [layers]
  std::vector<std::vector<u32>> chosen_;   // [layers]
  u32 check_head_ = 0;
  bool has_experts_ = false;
  f64 pass_seconds_ = 0;
};

// The groups of layers whose keys and values are kept and seen alike, and what happened to them
// when a sequence grew from `begin` to `end` positions.
[[nodiscard]] std::vector<KvGroup> kv_groups(const model::ModelSpec& spec,
                                             kernels::KvFormat format);
void add_kv_events(std::span<const KvGroup> groups, std::span<const u32> pages, u32 position,
                   std::vector<KvEvent>& events);

}  // namespace orrery::engine
