// The table of points, made from points.def.
#include "trace/point.h"

namespace orrery::trace {
namespace {

constexpr PointInfo kPoints[] = {
#define ORRERY_POINT(id, name, shape, cost, sentence) \
  {Point::id, name, shape, Cost::cost, sentence},
#include "trace/points.def"
#undef ORRERY_POINT
};

}  // namespace

std::span<const PointInfo> points() { return kPoints; }

const PointInfo& info(Point point) { return kPoints[u8(point)]; }

std::optional<Point> point_from_name(std::string_view name) {
  for (const PointInfo& row : kPoints)
    if (row.name == name) return row.point;
  return std::nullopt;
}

}  // namespace orrery::trace
