#include "apps/bench_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace orrery::apps {
namespace {

constexpr f64 kWidth = 760, kLeft = 120, kBarWidth = 330, kBarStep = 30, kTop = 66;
constexpr f64 kChartHeight = 220, kChartWidth = kWidth - kLeft - 40;

constexpr const char* kStyle =
    "<style>text{font:13px system-ui,sans-serif;fill:#1c2430}.dim{fill:#5b6675}"
    ".head{font-size:17px;font-weight:600}.bar{fill:#2f6fb0}.track{fill:#e3e8ee}"
    ".axis{stroke:#9aa5b1;fill:none}.ours{stroke:#2f6fb0;fill:none;stroke-width:2.5}"
    ".peer{stroke:#b8620b;fill:none;stroke-width:2;stroke-dasharray:6 4}.dot{fill:#2f6fb0}"
    ".peer-dot{fill:#b8620b}.tick{stroke:#b8620b;stroke-width:3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6ebf1}.dim{fill:#9aa7b6}.track{fill:#2b333d}"
    ".bar,.dot{fill:#6aa9e6}.ours{stroke:#6aa9e6}.peer,.tick{stroke:#e8a04c}"
    ".peer-dot{fill:#e8a04c}.axis{stroke:#5b6675}}</style>\n";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += u8(c) < 32 ? ' ' : c;
    }
  return out;
}

std::string text_at(f64 x, f64 y, std::string_view words, std::string_view attributes = "") {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' {}>{}</text>\n", x, y, attributes,
                     escaped(words));
}

// A reply is bound by reading, a prompt by arithmetic; the longer of the two is what binds.
f64 share_of_limit(const Row& row) {
  return std::max(row.read_share().median, row.peak_share().median);
}

// One bar a test: how far it is from its limit, and a tick where the peer stands.
std::string bars(std::span<const Row> rows) {
  std::string out;
  f64 fastest = 0;
  for (const Row& row : rows) fastest = std::max(fastest, row.tokens_per_second().median);
  f64 y = kTop;
  for (const Row& row : rows) {
    const bool probed = row.read_share().median > 0;
    const f64 share = probed ? share_of_limit(row) : row.tokens_per_second().median / fastest;
    const f64 length = kBarWidth * std::clamp(share, 0.0, 1.0);
    out += text_at(kLeft - 10, y + 13, row.name(), "text-anchor='end'");
    out += fmt::format("<rect class='track' x='{}' y='{}' width='{}' height='18' rx='3'/>\n", kLeft,
                       y, kBarWidth);
    out += fmt::format("<rect class='bar' x='{}' y='{}' width='{:.1f}' height='18' rx='3'/>\n",
                       kLeft, y, length);
    std::string words = fmt::format("{:.1f} tok/s", row.tokens_per_second().median);
    if (probed)
      words += fmt::format(
          " · {:.0f} % of {}", 100 * share,
          row.read_share().median >= row.peak_share().median ? "reading" : "arithmetic");
    if (const auto rival = rival_of(row)) {
      words += fmt::format(" · {:.2f}x peer", rival->ratio.median);
      const f64 at = kLeft + std::min(kBarWidth, length / rival->ratio.median);
      out += fmt::format("<line class='tick' x1='{0:.1f}' x2='{0:.1f}' y1='{1}' y2='{2}'/>\n", at,
                         y - 2, y + 20);
    }
    out += text_at(kLeft + kBarWidth + 12, y + 13, words);
    y += kBarStep;
  }
  return out;
}

struct Curve {
  std::vector<const Row*> rows;  // by depth
};

// Curves of tests that differ in depth alone.
std::map<std::string, Curve> curves_of(std::span<const Row> rows) {
  std::map<std::string, Curve> curves;
  for (const Row& row : rows) {
    const std::string name = row.name();
    curves[name.substr(0, name.find('@'))].rows.push_back(&row);
  }
  for (auto& [name, curve] : curves)
    std::sort(curve.rows.begin(), curve.rows.end(), [](const Row* a, const Row* b) {
      return a->measured.options.depth < b->measured.options.depth;
    });
  std::erase_if(curves, [](const auto& item) { return item.second.rows.size() < 2; });
  return curves;
}

// Speed against depth of one kind of test, from zero up.
std::string chart(const std::string& name, const Curve& curve, f64 top) {
  f64 speed_max = 0;
  for (const Row* row : curve.rows) {
    speed_max = std::max(speed_max, row->tokens_per_second().median);
    if (const auto rival = rival_of(*row))
      speed_max = std::max(speed_max, rival->tokens_per_second.median);
  }
  const f64 depth_max = std::max(1u, curve.rows.back()->measured.options.depth);
  const f64 bottom = top + kChartHeight;
  const auto x_of = [&](const Row& row) {
    return kLeft + kChartWidth * row.measured.options.depth / depth_max;
  };
  const auto y_of = [&](f64 speed) { return bottom - (kChartHeight - 20) * speed / speed_max; };
  std::string out = text_at(
      kLeft, top - 8, name + ": tokens a second, by the tokens that are in the cache already");
  out += fmt::format("<path class='axis' d='M{0} {1}V{2}H{3}'/>\n", kLeft, top, bottom,
                     kLeft + kChartWidth);
  std::string ours, peer;
  for (const Row* row : curve.rows) {
    const f64 x = x_of(*row), y = y_of(row->tokens_per_second().median);
    ours += fmt::format("{}{:.1f} {:.1f}", ours.empty() ? "M" : "L", x, y);
    out += fmt::format("<circle class='dot' cx='{:.1f}' cy='{:.1f}' r='4'/>\n", x, y);
    out += text_at(x, y - 9, fmt::format("{:.1f}", row->tokens_per_second().median),
                   "text-anchor='middle'");
    out += text_at(x, bottom + 18, std::to_string(row->measured.options.depth),
                   "text-anchor='middle' class='dim'");
    const auto rival = rival_of(*row);
    if (!rival) continue;
    const f64 peer_y = y_of(rival->tokens_per_second.median);
    peer += fmt::format("{}{:.1f} {:.1f}", peer.empty() ? "M" : "L", x, peer_y);
    out += fmt::format("<circle class='peer-dot' cx='{:.1f}' cy='{:.1f}' r='4'/>\n", x, peer_y);
    out += text_at(x, peer_y + 18, fmt::format("{:.1f}", rival->tokens_per_second.median),
                   "text-anchor='middle' class='dim'");
  }
  out += fmt::format("<path class='ours' d='{}'/>\n", ours);
  if (!peer.empty()) out += fmt::format("<path class='peer' d='{}'/>\n", peer);
  return out;
}

}  // namespace

std::string bench_picture(std::span<const Row> rows, const std::string& title,
                          const std::string& subtitle) {
  const auto curves = curves_of(rows);
  bool rival = false;
  for (const Row& row : rows) rival |= !row.rivals.empty();
  std::string inner = bars(rows);
  f64 y = kTop + kBarStep * f64(rows.size()) + 46;
  for (const auto& [name, curve] : curves) {
    inner += chart(name, curve, y);
    y += kChartHeight + 66;
  }
  inner += text_at(16, y - 20,
                   rival ? "Bars: share of what the machine's own probes reached beside the test; "
                           "orange: llama-bench, in turns."
                         : "Bars: share of what the machine's own probes reached beside the test.",
                   "class='dim'");
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1:.0f}' role='img' "
      "aria-labelledby='t d'>\n<title id='t'>{2}</title>\n<desc id='d'>{3}</desc>\n{4}{5}{6}{7}"
      "</svg>\n",
      kWidth, y, escaped(title), escaped(subtitle), kStyle, text_at(16, 28, title, "class='head'"),
      text_at(16, 48, subtitle, "class='dim'"), inner);
}

}  // namespace orrery::apps
