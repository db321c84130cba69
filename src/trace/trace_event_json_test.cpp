// Tests of the points table and of the trace-event writer, read back by an independent JSON parser.
#include "trace/trace_event_json.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "trace/point.h"

namespace orrery::trace {
namespace {

TEST(Points, TheTableIsInTheOrderOfTheEnumAndNamesAreUnique) {
  ASSERT_EQ(points().size(), kPointCount);
  std::set<std::string_view> names;
  for (u32 i = 0; i < kPointCount; ++i) {
    EXPECT_EQ(u32(points()[i].point), i);
    EXPECT_EQ(point_from_name(points()[i].name), Point(i));
    EXPECT_TRUE(names.insert(points()[i].name).second);
    EXPECT_TRUE(points()[i].sentence.ends_with('.'));
    EXPECT_TRUE(kAllPoints & bit(Point(i)));
  }
  EXPECT_EQ(std::popcount(kAllPoints), int(kPointCount));
  EXPECT_EQ(info(Point::kLogits).name, "logits");
  EXPECT_EQ(point_from_name("no_such_point"), std::nullopt);
}

TEST(TraceEventJson, IsWhatPerfettoReads) {
  TraceEventJson trace;
  trace.thread_name(0, "worker 0");
  trace.complete("attention \"3\"\n", "phase", 0, 1'234'567, 89, "16 rows");
  trace.instant("cancelled", "request", 1, 5);
  trace.counter("kv pages", 2'000, 12.5);
  trace.counter("not a number", 2'000, std::numeric_limits<f64>::quiet_NaN());
  const nlohmann::json events = nlohmann::json::parse(trace.document())["traceEvents"];
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["ph"], "M");
  EXPECT_EQ(events[0]["args"]["name"], "worker 0");
  EXPECT_EQ(events[1]["name"], "attention \"3\"\n");
  EXPECT_EQ(events[1]["ph"], "X");
  EXPECT_DOUBLE_EQ(events[1]["ts"], 1234.567);
  EXPECT_DOUBLE_EQ(events[1]["dur"], 0.089);
  EXPECT_EQ(events[1]["args"]["detail"], "16 rows");
  EXPECT_EQ(events[2]["ph"], "i");
  EXPECT_EQ(events[3]["args"]["value"], 12.5);
}

TEST(TraceEventJson, IsBoundedAndAnEmptyOneIsValid) {
  EXPECT_TRUE(nlohmann::json::parse(TraceEventJson().document())["traceEvents"].empty());
  TraceEventJson small(200);
  for (u32 i = 0; i < 100; ++i) small.instant("tick", "test", 0, i);
  const std::string text = small.document();
  EXPECT_LT(text.size(), 260u);
  EXPECT_EQ(nlohmann::json::parse(text)["traceEvents"].size() + small.dropped(), 100u);
}

}  // namespace
}  // namespace orrery::trace
