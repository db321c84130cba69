// Point: one kind of value that can be watched while a model runs.
//
// points.def is the one list; the enum, the Explorer's legend and the docs are made from it. A set
// of points is a u64 with one bit a point, so that asking "does anyone watch this?" is one AND.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/types.h"

namespace orrery::trace {

enum class Cost : u8 { kFree, kDerived };

enum class Point : u8 {
#define ORRERY_POINT(id, name, shape, cost, sentence) id,
#include "trace/points.def"
#undef ORRERY_POINT
};

inline constexpr u32 kPointCount = 0
#define ORRERY_POINT(id, name, shape, cost, sentence) +1
#include "trace/points.def"
#undef ORRERY_POINT
    ;
static_assert(kPointCount <= 64, "a set of points is a u64");

inline constexpr u64 kNoPoints = 0;
inline constexpr u64 kAllPoints = ~u64(0) >> (64 - kPointCount);
[[nodiscard]] constexpr u64 bit(Point point) { return u64(1) << u8(point); }

struct PointInfo {
  Point point;
  std::string_view name;
  std::string_view shape;  // of one event's values, in the words of the glossary
  Cost cost;
  std::string_view sentence;
};

[[nodiscard]] std::span<const PointInfo> points();  // in the order of the enum
[[nodiscard]] const PointInfo& info(Point point);
[[nodiscard]] std::optional<Point> point_from_name(std::string_view name);

}  // namespace orrery::trace
