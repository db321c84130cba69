// Strings and their origins; the heap's accounts; sorting by what is no order.
#include "text/jinja/string.h"

#include <gtest/gtest.h>

#include <cmath>

#include "text/jinja/sort.h"
#include "text/jinja/value.h"

namespace orrery::text::jinja {
namespace {

std::string marked(const MarkedText& text) {
  std::string out;
  for (u64 i = 0; i < text.bytes.size(); ++i) {
    const Origin origin = text.origin_at(i);
    out += text.bytes[i];
    out += origin == kTemplate ? 't' : origin == kOutside ? 'o' : char('0' + origin);
  }
  return out;
}

TEST(JinjaString, RunsFollowConcatenationAndSlices) {
  Heap heap(Limits{});
  Builder builder(heap);
  builder.add("ab").add("cd", 3).add("e", 3).add("f", kOutside).add("gh");
  const auto all = builder.take();
  EXPECT_EQ(marked(all->text()), "atbtc3d3e3fogtht");
  EXPECT_EQ(all->text().runs.size(), 4U);  // neighbours of one origin are one run
  Builder part(heap);
  EXPECT_EQ(marked(part.add(*all, 3, 7).add(*all, 0, 1).take()->text()), "d3e3fogtat");
  EXPECT_EQ(all->text().content_origin(), 3);
}

TEST(JinjaString, TextOfTheTemplateHasNoRuns) {
  Heap heap(Limits{});
  Builder builder(heap);
  EXPECT_TRUE(builder.add("ab").add("cd").take()->text().runs.empty());
}

TEST(JinjaString, CountsCodePointsAndBrokenBytes) {
  Heap heap(Limits{});
  const auto string = make<String>(heap, "a\xc3\xa9\xff\xe4\xbd\xa0");
  EXPECT_EQ(string->length(), 4U);
  EXPECT_EQ(string->byte_of(3), 4U);
  EXPECT_EQ(string->byte_of(4), 7U);
}

TEST(JinjaHeap, ReleasesWhatObjectsHeldAndStopsAtItsLimit) {
  Limits limits;
  limits.memory_bytes_max = 200'000;
  Heap heap(limits);
  for (u32 i = 0; i < 1000; ++i) {
    Builder builder(heap);
    (void)builder.repeat(*make<String>(heap, "0123456789"), 5000).take();  // 50,000 bytes each
  }
  Builder builder(heap);
  EXPECT_THROW(builder.repeat(*make<String>(heap, "0123456789"), 19'999), TemplateError);
}

TEST(JinjaHeap, EmptiesNamespacesThatHoldThemselves) {
  Heap heap(Limits{});  // a leak would be AddressSanitizer's to find
  const auto ns = make<Namespace>(heap);
  ns->attributes->set("me", Value(ns));
}

TEST(JinjaSort, IsStable) {
  std::vector<std::pair<int, int>> items;
  for (int i = 0; i < 100; ++i) items.emplace_back((i * 37) % 7, i);
  merge_sort(items, [](const auto& a, const auto& b) { return a.first < b.first; });
  for (u64 i = 1; i < items.size(); ++i) EXPECT_LT(items[i - 1], items[i]);
}

TEST(JinjaSort, KeepsEveryItemUnderAComparisonThatIsNoOrder) {
  std::vector<f64> items;
  for (int i = 0; i < 50; ++i) items.push_back(i % 3 == 0 ? std::nan("") : 50 - i);
  merge_sort(items, [](f64 a, f64 b) { return a < b; });
  EXPECT_EQ(items.size(), 50U);
  EXPECT_EQ(std::count_if(items.begin(), items.end(), [](f64 x) { return std::isnan(x); }), 17);
}

}  // namespace
}  // namespace orrery::text::jinja
