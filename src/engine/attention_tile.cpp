#include "engine/attention_tile.h"

#include <algorithm>
#include <limits>

namespace orrery::engine {

AttentionTile::AttentionTile(Engine& engine, StepWatcher& watcher, const TileRequest& request)
    : engine_(&engine),
      watcher_(&watcher),
      request_(request),
      rows_(std::min(request.size, request.row1 - request.row0)),
      cols_(std::min(request.size, request.col1 - request.col0)),
      next_(request.row0),
      max_(u64(rows_) * cols_, kUnknown),
      mean_(u64(rows_) * cols_, 0),
      counts_(u64(rows_) * cols_, 0) {}

void AttentionTile::add(u32 row, const forward::AttentionRow& values, std::span<const u32> chosen) {
  // Cell i begins at floor(i * height / rows), so row r is in cell ceil((r + 1) rows / height) - 1.
  const auto cell = [](u32 at, u32 cells, u32 length) {
    return u32(divide_up((u64(at) + 1) * cells, u64(length)) - 1);
  };
  const u32 i = cell(row - request_.row0, rows_, request_.row1 - request_.row0);
  for (u64 n = 0; n < values.weights.size(); ++n) {
    const u32 key = chosen.empty() ? values.first + u32(n) : chosen[n];
    if (key < request_.col0 || key >= request_.col1) continue;
    const u64 at = u64(i) * cols_ + cell(key - request_.col0, cols_, request_.col1 - request_.col0);
    max_[at] = counts_[at] == 0 ? values.weights[n] : std::max(max_[at], values.weights[n]);
    mean_[at] += values.weights[n];
    ++counts_[at];
  }
}

Result<bool> AttentionTile::advance(const WatchedRun& run) {
  if (!run.in_cache() || request_.row1 > run.computed())
    return fail("the run's keys are no longer in the cache");
  const u32 count =
      std::min({request_.row1 - next_, watcher_->queries_max(), engine_->scratch().tokens_max});
  forward::Batch batch;
  for (u32 p = next_; p < next_ + count; ++p)
    batch.tokens.push_back(
        {run.tokens()[p], run.sequence(), p, false, std::max(run.prompt_count(), p + 1)});
  TRY(const auto queries, watcher_->queries(batch, request_.layer));
  for (u32 i = 0; i < count; ++i) {
    forward::AttentionRow row;
    forward::attention_rows({engine_->model(), engine_->kernels(), engine_->cache(), run.sequence(),
                             request_.layer, next_ + i, queries[i].query.data(), queries[i].chosen},
                            request_.head, false, {&row, 1});
    add(next_ + i, row, queries[i].chosen);
  }
  next_ += count;
  if (next_ < request_.row1) return false;
  for (u64 at = 0; at < mean_.size(); ++at)
    mean_[at] = counts_[at] ? mean_[at] / f32(counts_[at]) : kUnknown;
  return true;
}

}  // namespace orrery::engine
