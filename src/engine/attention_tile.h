// AttentionTile: a matrix of attention, queries by keys, pooled to a picture's cells.
//
// Queries are kept nowhere, so the rows' tokens are computed again, chunk by chunk, over keys that
// are in the cache and come out as the same bits. One chunk a call, so that others wait little.
#pragma once

#include "engine/watched_run.h"

namespace orrery::engine {

struct TileRequest {
  u32 layer = 0, head = 0;
  u32 row0 = 0, row1 = 0, col0 = 0, col1 = 0;  // ends exclusive
  u32 size = 256;                              // of the longer side, in cells
};

class AttentionTile {
 public:
  // The request must fit the run: rows and columns below its computed positions.
  AttentionTile(Engine& engine, StepWatcher& watcher, const TileRequest& request);

  // One chunk of rows; true: done.
  [[nodiscard]] Result<bool> advance(const WatchedRun& run);

  [[nodiscard]] u32 rows() const { return rows_; }
  [[nodiscard]] u32 cols() const { return cols_; }
  [[nodiscard]] std::vector<f32>& max() { return max_; }    // [rows, cols], NaN where masked
  [[nodiscard]] std::vector<f32>& mean() { return mean_; }  // the same

 private:
  void add(u32 row, const forward::AttentionRow& values, std::span<const u32> chosen);

  Engine* engine_;
  StepWatcher* watcher_;
  TileRequest request_;
  u32 rows_, cols_, next_;
  std::vector<f32> max_, mean_;
  std::vector<u32> counts_;
};

}  // namespace orrery::engine
