#include "engine/step_watcher.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/overload.h"
#include "forward/router.h"
#include "forward/visible_keys.h"
#include "plan/memory.h"

namespace orrery::engine {
namespace {

using trace::Point;

constexpr u64 kRingBytes = u64(32) << 20;
// What an event costs in a pass: a barrier more, for which the team waits while member 0 copies.
// A figure to plan with; bench/explorer_cost.py measures the whole.
constexpr f64 kEventSeconds = 1e-6;

using Lanes [[gnu::vector_size(16)]] = f32;

// What two vectors [n] have to do with each other.
struct Products {
  f32 aa, bb, ab, difference;  // the last: |b - a|^2
};
Products products(const f32* a, const f32* b, u32 n) {
  Lanes sums[4] = {};
  u32 i = 0;
  for (; i + 4 <= n; i += 4) {
    Lanes x, y;
    std::memcpy(&x, a + i, sizeof(x));
    std::memcpy(&y, b + i, sizeof(y));
    const Lanes d = y - x;
    sums[0] += x * x;
    sums[1] += y * y;
    sums[2] += x * y;
    sums[3] += d * d;
  }
  f32 total[4];
  for (u32 k = 0; k < 4; ++k) total[k] = (sums[k][0] + sums[k][1]) + (sums[k][2] + sums[k][3]);
  for (; i < n; ++i) {
    total[0] += a[i] * a[i];
    total[1] += b[i] * b[i];
    total[2] += a[i] * b[i];
    total[3] += (b[i] - a[i]) * (b[i] - a[i]);
  }
  return {total[0], total[1], total[2], total[3]};
}

u32 values_max(const model::ModelSpec& spec) {
  u64 most = spec.dim;
  for (const model::LayerSpec& layer : spec.layers) {
    const u64 heads = forward::row_heads(layer);
    most = std::max(
        {most, heads * forward::row_query_dim(layer), heads * forward::row_value_dim(layer)});
    if (const auto* f = std::get_if<model::ExpertFfn>(&layer.ffn))
      most = std::max<u64>(most, f->experts);
    if (const auto* a = std::get_if<model::LatentAttention>(&layer.attention))
      most = std::max<u64>(most, a->indexer.keys_max);
  }
  return u32(most);
}

u64 event_bytes(u64 values) { return sizeof(trace::EventHeader) + sizeof(f32) * values; }

HeadStat stat_of(const forward::AttentionRow& row, u32 position, std::span<const u32> chosen) {
  HeadStat stat{.null_mass = row.null_mass};
  f32 log_sum = 0, distance = 0;
  for (u64 i = 0; i < row.weights.size(); ++i) {
    const f32 w = row.weights[i];
    if (w <= 0) continue;
    const u32 key = chosen.empty() ? row.first + u32(i) : chosen[i];
    log_sum -= w * std::log(w);
    stat.max = std::max(stat.max, w);
    if (key < kSinkKeys) stat.sink_mass += w;
    if (key + kRecentKeys > position) stat.recent_mass += w;
    distance += w * f32(position - key);
  }
  stat.entropy = log_sum;
  stat.distance = distance;
  return stat;
}

}  // namespace

StepWatcher::StepWatcher(Engine& engine)
    : engine_(&engine), ring_(kRingBytes, values_max(engine.model().spec)), tap_(ring_) {
  const u64 layers = engine.model().spec.layers.size();
  queries_.resize(layers);
  outputs_.resize(layers);
  chosen_.resize(layers);
  for (const model::LayerSpec& layer : engine.model().spec.layers)
    has_experts_ |= std::holds_alternative<model::ExpertFfn>(layer.ffn);
}

u32 StepWatcher::heads_of(u32 layer) const {
  return forward::row_heads(engine_->model().spec.layers[layer]);
}

u32 StepWatcher::tokens_max(const PassWants& wants, bool all_logits) const {
  u64 each = 1, once = 0;
  for (const model::LayerSpec& layer : engine_->model().spec.layers) {
    const u64 residual = wants.residual ? 2 * event_bytes(engine_->model().spec.dim) : 0;
    const u64 heads = forward::row_heads(layer);
    const u64 attention = wants.attention ? event_bytes(heads * forward::row_query_dim(layer)) +
                                                event_bytes(heads * forward::row_value_dim(layer))
                                          : 0;
    (all_logits ? each : once) += residual + attention;
    if (const auto* f = std::get_if<model::ExpertFfn>(&layer.ffn); f && wants.route)
      each += event_bytes(f->experts) + event_bytes(f->active);
  }
  once = std::min(once, kRingBytes / 2);
  return u32(std::clamp<u64>((kRingBytes - once) / each, 1, 1u << 20));
}

Result<void> StepWatcher::pass(const forward::Batch& batch, const PassWants& wants,
                               std::vector<StepSeen>& seen) {
  pass_seconds_ = 0;
  seen.clear();
  seen.resize(batch.size());
  for (u32 i = 0; i < batch.size(); ++i) seen[i].position = batch.tokens[i].position;
  const forward::BatchToken& last = batch.tokens.back();
  sequence_ = last.sequence;
  position_ = last.position;
  trace::Subscription subscription;
  if (wants.route && has_experts_) {
    subscription.every_row = bit(Point::kRouterScores) | bit(Point::kRouterChoice);
    subscription.points |= subscription.every_row;
  }
  if (wants.residual)
    subscription.points |=
        bit(Point::kEmbedding) | bit(Point::kResidualAttention) | bit(Point::kResidual);
  if (wants.attention)
    subscription.points |=
        bit(Point::kQuery) | bit(Point::kAttentionOutput) | bit(Point::kIndexChoice);
  if (subscription.points == trace::kNoPoints) return engine_->pass(batch);
  const u64 dropped = ring_.dropped();
  for (auto& chosen : chosen_) chosen.clear();
  engine_->watch(&tap_, subscription);
  auto passed = engine_->pass(batch);
  engine_->watch(nullptr, {});
  const auto reading = std::chrono::steady_clock::now();
  u32 events = 0;
  for (; ring_.read(event_); ++events) {
    const u32 row = event_.header.row;
    if (row < seen.size()) take(event_, seen[row], row + 1 == seen.size());
  }
  if (ring_.dropped() != dropped) seen.back().thinned = true;
  const f64 read = std::chrono::duration<f64>(std::chrono::steady_clock::now() - reading).count();
  pass_seconds_ = read + kEventSeconds * events;
  return passed;
}

u32 StepWatcher::queries_max() const {
  u64 each = 1;
  for (const model::LayerSpec& layer : engine_->model().spec.layers) {
    each += event_bytes(u64(forward::row_heads(layer)) * forward::row_query_dim(layer));
    if (const auto* a = std::get_if<model::LatentAttention>(&layer.attention))
      each += event_bytes(a->indexer.keys_max);
  }
  return u32(std::clamp<u64>(kRingBytes / each, 1, 64));
}

Result<std::vector<StepWatcher::RowQuery>> StepWatcher::queries(const forward::Batch& batch,
                                                                u32 layer) {
  std::vector<RowQuery> rows(batch.size());
  engine_->watch(
      &tap_, {.points = bit(Point::kQuery) | bit(Point::kIndexChoice), .rows = trace::Rows::kAll});
  const auto passed = engine_->pass(batch);
  engine_->watch(nullptr, {});
  while (ring_.read(event_)) {
    if (event_.header.layer != layer || event_.header.row >= rows.size()) continue;
    RowQuery& row = rows[event_.header.row];
    if (event_.header.point == Point::kQuery)
      row.query = event_.values;
    else
      row.chosen.assign(event_.values.begin(), event_.values.end());
  }
  if (!passed) return tl::unexpected<Error>(passed.error());
  for (const RowQuery& row : rows)
    if (row.query.empty()) return fail("layer {} has no queries", layer);
  return rows;
}

void StepWatcher::take(const trace::Event& event, StepSeen& seen, bool is_last) {
  const u32 layer = event.header.layer, dim = engine_->model().spec.dim;
  switch (event.header.point) {
    case Point::kEmbedding:
      residual_.before = event.values;
      break;
    case Point::kResidualAttention: {
      if (residual_.before.size() != dim) break;
      const Products p = products(residual_.before.data(), event.values.data(), dim);
      seen.residual.resize(layer + 1);
      seen.residual[layer].attention = std::sqrt(p.difference);
      residual_.after_attention = event.values;
      break;
    }
    case Point::kResidual: {
      if (seen.residual.size() != layer + 1) break;
      const Products ffn = products(residual_.after_attention.data(), event.values.data(), dim);
      const Products whole = products(residual_.before.data(), event.values.data(), dim);
      LayerResidual& to = seen.residual[layer];
      to.ffn = std::sqrt(ffn.difference);
      to.norm = std::sqrt(whole.bb);
      to.cosine = whole.ab / std::sqrt(std::max(whole.aa * whole.bb, 1e-30f));
      residual_.before = event.values;
      break;
    }
    case Point::kRouterScores:
    case Point::kRouterChoice:
      take_route(event, seen);
      break;
    case Point::kQuery:
      if (is_last) queries_[layer] = event.values;
      break;
    case Point::kAttentionOutput:
      if (is_last) outputs_[layer] = event.values;
      break;
    case Point::kIndexChoice:
      if (is_last) chosen_[layer].assign(event.values.begin(), event.values.end());
      break;
    default:
      break;
  }
}

// The scores come before the choice.
void StepWatcher::take_route(const trace::Event& event, StepSeen& seen) {
  const u32 layer = event.header.layer;
  if (event.header.point == Point::kRouterScores) {
    seen.routes.push_back({.layer = layer, .scores = event.values});
    return;
  }
  if (seen.routes.empty() || seen.routes.back().layer != layer) return;
  const auto& f = std::get<model::ExpertFfn>(engine_->model().spec.layers[layer].ffn);
  LayerRoute& route = seen.routes.back();
  route.chosen.assign(event.values.begin(), event.values.end());
  route.weights.resize(route.chosen.size());
  forward::mixing_weights(f, route.scores.data(), route.chosen, route.weights.data());
  forward::RouteReason reason = forward::reason_of(
      f, route.scores.data(),
      engine_->model().weights.layers[layer].vector(model::Role::kSelectionBias), route.chosen);
  route.margin = reason.margin;
  route.biased = std::move(reason.biased);
  route.kept_groups = std::move(reason.kept);
}

std::vector<forward::AttentionRow> StepWatcher::rows(u32 layer, u32 begin, u32 count,
                                                     bool with_read) {
  std::vector<forward::AttentionRow> rows(count);
  // An indexer that reuses a choice has the one of the layer before it.
  std::span<const u32> chosen;
  if (const auto* a =
          std::get_if<model::LatentAttention>(&engine_->model().spec.layers[layer].attention);
      a && a->indexer.heads && position_ >= a->indexer.keys_max)
    chosen = chosen_[layer];
  forward::attention_rows({engine_->model(), engine_->kernels(), engine_->cache(), sequence_, layer,
                           position_, queries_[layer].data(), chosen},
                          begin, with_read, rows);
  return rows;
}

// Values are read for one head a time, another each time, unless all are to be checked.
LayerStat StepWatcher::stat(u32 layer, bool check_all) {
  const u32 heads = heads_of(layer),
            dim = forward::row_value_dim(engine_->model().spec.layers[layer]);
  LayerStat stat{.layer = layer};
  const std::vector<forward::AttentionRow> all = rows(layer, 0, heads, check_all);
  stat.sparse = !chosen_[layer].empty();
  stat.first = all[0].first;
  stat.keys = u32(all[0].weights.size());
  for (const forward::AttentionRow& row : all) {
    stat.heads.push_back(stat_of(row, position_, chosen_[layer]));
    stat.check_sum = std::max(stat.check_sum, std::abs(row.sum() - 1));
  }
  f32 most = 0;
  if (check_all) {
    for (u32 h = 0; h < heads; ++h)
      most = std::max(most, forward::read_difference(all[h], &outputs_[layer][u64(h) * dim]));
  } else {
    const u32 h = check_head_++ % heads;
    most = forward::read_difference(rows(layer, h, 1, true)[0], &outputs_[layer][u64(h) * dim]);
  }
  stat.check_value = most;
  return stat;
}

LayerTop StepWatcher::top(u32 layer) {
  LayerTop top{.layer = layer};
  for (const forward::AttentionRow& row : rows(layer, 0, heads_of(layer), false)) {
    top.keys = u32(row.weights.size());
    std::vector<LayerTop::Key> keys;
    for (u64 i = 0; i < row.weights.size(); ++i)
      keys.push_back(
          {chosen_[layer].empty() ? row.first + u32(i) : chosen_[layer][i], row.weights[i]});
    const u64 count = std::min<u64>(kTopKeys, keys.size());
    std::partial_sort(keys.begin(), keys.begin() + i64(count), keys.end(),
                      [](const auto& a, const auto& b) {
                        return a.weight != b.weight ? a.weight > b.weight : a.position < b.position;
                      });
    keys.resize(count);
    top.heads.push_back(std::move(keys));
  }
  return top;
}

HeadRow StepWatcher::row(u32 layer, u32 head) {
  HeadRow row{.layer = layer, .head = head};
  row.row = std::move(rows(layer, head, 1, true)[0]);
  row.positions = chosen_[layer];
  const u32 dim = forward::row_value_dim(engine_->model().spec.layers[layer]);
  row.check_value = forward::read_difference(row.row, &outputs_[layer][u64(head) * dim]);
  return row;
}

std::vector<KvGroup> kv_groups(const model::ModelSpec& spec, kernels::KvFormat format) {
  std::vector<KvGroup> groups;
  for (u32 l = 0; l < spec.layers.size(); ++l) {
    model::ModelSpec one;
    one.layers = {spec.layers[l]};
    KvGroup group{.position_bytes = plan::kv_bytes_per_token(one, format)};
    std::visit(Overload{[&](const model::GroupedAttention& a) {
                          group.kind = "grouped";
                          group.window = a.window;
                          group.chunk = a.chunk;
                          group.expanded_position_bytes =
                              2 * u64(a.heads) * kernels::kv_row_bytes(format, a.head_dim);
                        },
                        [&](const model::LatentAttention& a) {
                          group.kind = "latent";
                          const u64 bytes = format == kernels::KvFormat::kF32 ? 4 : 2;
                          group.expanded_position_bytes =
                              u64(a.heads) * (a.query_dim() + a.value_dim) * bytes;
                        },
                        [&](const model::DeltaNet&) { group.kind = "state"; }},
               spec.layers[l].attention);
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const KvGroup& g) {
      return g.kind == group.kind && g.window == group.window && g.chunk == group.chunk &&
             g.position_bytes == group.position_bytes;
    });
    KvGroup& to = same == groups.end() ? groups.emplace_back(group) : *same;
    to.layers.push_back(l);
  }
  return groups;
}

void add_kv_events(std::span<const KvGroup> groups, std::span<const u32> pages, u32 position,
                   std::vector<KvEvent>& events) {
  const u32 index = position / forward::kPageTokens;
  const u32 page = index < pages.size() ? pages[index] : kWholeCache;
  if (position % forward::kPageTokens == 0)
    events.push_back({KvEventKind::kTake, kWholeCache, page, position});
  events.push_back({KvEventKind::kWrite, kWholeCache, page, position});
  for (u32 g = 0; g < groups.size(); ++g) {
    if (groups[g].kind != "grouped" || position == 0) continue;
    const u64 now = forward::visible_keys(position, groups[g].window, groups[g].chunk).begin;
    const u64 before = forward::visible_keys(position - 1, groups[g].window, groups[g].chunk).begin;
    if (now > before) {
      const u32 left = u32(now) - 1;
      events.push_back({KvEventKind::kLeave, g, pages[left / forward::kPageTokens], left});
    }
  }
}

}  // namespace orrery::engine
