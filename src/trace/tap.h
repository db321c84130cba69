// Tap: what the forward pass says about itself while it runs. The forward pass is a template on it.
//
//   if constexpr (Tap::kOn) tap.values(Point::kResidual, layer, row, residual, dim);
//
// TapOff is empty, so that a pass nobody watches is the same machine code as one without taps.
// TapOn copies the values into a Ring. Both are called from one thread only (worker 0, after a
// barrier). Deliberately not here: computing anything. A point that needs arithmetic is the
// caller's, who asks wants() first.
#pragma once

#include <span>

#include "base/types.h"
#include "trace/point.h"
#include "trace/ring.h"

namespace orrery::trace {

struct TapOff {
  static constexpr bool kOn = false;
  [[nodiscard]] static constexpr bool watches(Point) { return false; }
  [[nodiscard]] static constexpr bool wants(Point, u32) { return false; }
  static constexpr void values(Point, u32, u32, const f32*, u32) {}
  static constexpr void number(Point, u32, u32, f64) {}
};

// What the rows (tokens) of a step are.
struct TapRow {
  u32 sequence = kNone;
  u32 position = kNone;
  bool logits = false;  // the row gives logits
};

enum class Rows : u8 { kAll, kLogits };

struct Subscription {
  u64 points = kNoPoints;  // bit(Point) each
  Rows rows = Rows::kLogits;
  u64 every_row = kNoPoints;  // of the points, those that are watched in every row all the same
};

class TapOn {
 public:
  static constexpr bool kOn = true;

  explicit TapOn(Ring& ring) : ring_(&ring) {}

  // Before each step: what is watched in it, and its rows [tokens], which must live until the next.
  void begin_step(u64 step, Subscription subscription, std::span<const TapRow> rows) {
    step_ = step;
    subscription_ = subscription;
    rows_ = rows;
  }

  // Does anyone watch this point at all? The same answer for every member of the team.
  [[nodiscard]] bool watches(Point point) const { return (subscription_.points & bit(point)) != 0; }
  // Does anyone watch this point of this row? Events of no row (kNone) depend on the point alone.
  [[nodiscard]] bool wants(Point point, u32 row) const {
    if (!watches(point)) return false;
    return row >= rows_.size() || subscription_.rows == Rows::kAll || rows_[row].logits ||
           (subscription_.every_row & bit(point)) != 0;
  }

  void values(Point point, u32 layer, u32 row, const f32* values, u32 count) {
    if (wants(point, row)) ring_->write(header(point, layer, row), values, count);
  }

  void number(Point point, u32 layer, u32 row, f64 number) {
    if (!wants(point, row)) return;
    EventHeader head = header(point, layer, row);
    head.number = number;
    ring_->write(head, nullptr, 0);
  }

 private:
  [[nodiscard]] EventHeader header(Point point, u32 layer, u32 row) const {
    EventHeader head;
    head.step = step_;
    head.point = point;
    head.layer = layer;
    head.row = row;
    if (row < rows_.size()) {
      head.sequence = rows_[row].sequence;
      head.position = rows_[row].position;
    }
    return head;
  }

  Ring* ring_;
  u64 step_ = 0;
  Subscription subscription_;
  std::span<const TapRow> rows_;
};

}  // namespace orrery::trace
