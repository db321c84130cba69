#include "serve/explorer/frame.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

namespace orrery::serve {
namespace {

constexpr ChannelInfo kChannels[] = {
    {Channel::kCatalog, "catalog", true, true, "The model, block by block."},
    {Channel::kToken, "token", true, false,
     "Each token with its probability, its rivals and how it was drawn."},
    {Channel::kAttentionStat, "attn.stat", true, false,
     "Statistics of attention, a layer at a time; all layers on pause."},
    {Channel::kAttentionRow, "attn.row", false, false, "Where pinned heads look."},
    {Channel::kAttentionTopk, "attn.topk", true, false,
     "The strongest keys of every head, when a run pauses."},
    {Channel::kAttentionTile, "attn.tile", false, false, "A matrix of attention, on demand."},
    {Channel::kRoute, "route", true, false, "The experts that each token visits."},
    {Channel::kRouteFull, "route.full", true, false, "The router's score of every expert."},
    {Channel::kKv, "kv", true, false, "What happens in the key/value cache."},
    {Channel::kResidual, "resid", true, false, "The residual stream, layer by layer."},
    {Channel::kSys, "sys", true, false, "Memory, queue and the cost of watching."},
    {Channel::kRun, "run", true, true, "A run's state."},
    {Channel::kGap, "gap", true, true, "Which frames were lost."},
};

// Bytes in order, little-endian, as the machines are that this runs on.
static_assert(std::endian::native == std::endian::little);
class Writer {
 public:
  explicit Writer(u64 bytes = 256) { bytes_.reserve(bytes); }
  template <typename T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void put_text(std::string_view text) { bytes_ += text; }
  template <typename T>
  void put_all(const std::vector<T>& values) {
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void pad(u64 grain) { bytes_.resize(round_up(u64(bytes_.size()), grain), '\0'); }
  [[nodiscard]] std::string take() {
    pad(8);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

u32 now_us() {
  return u32(std::chrono::duration_cast<std::chrono::microseconds>(
                 std::chrono::steady_clock::now().time_since_epoch())
                 .count());
}

Frame frame(Channel channel, u32 run, u32 step, Writer& writer) {
  return {
      .channel = channel, .run = run, .step = step, .time_us = now_us(), .payload = writer.take()};
}

Frame token_frame(const engine::SeenToken& t, u32 run, u32 step) {
  constexpr u64 kCandidateBytes = 24 + 16;  // with its text, as long as most are
  Writer w(128 + 16 * t.stages.size() + kCandidateBytes * t.candidates.size());
  w.put(u32(t.id));
  w.put(u32(t.kind));
  w.put(t.logprob);
  w.put(t.entropy);
  w.put(t.uniform);
  w.put(t.bar_begin);
  w.put(t.bar_end);
  w.put(t.rank);
  w.put(u32(t.candidates.size()));
  w.put(u32(t.stages.size()));
  w.put(u32(t.bytes.size()));
  w.put(u32(t.text.size()));
  w.put(t.forward_ms);
  w.put(t.observer_ms);
  w.put(u32(t.special));
  for (const auto& stage : t.stages) {
    w.put(u32(stage.stage));
    w.put(stage.survivors);
    w.put(stage.mass);
    w.put(stage.value);
  }
  for (const engine::SeenCandidate& c : t.candidates) {
    w.put(u32(c.id));
    w.put(c.logprob);
    w.put(c.probability);
    w.put(c.bar_begin);
    w.put(c.dropped_by);
    w.put(u32(c.text.size()));
  }
  w.put_text(t.bytes);
  w.put_text(t.text);
  for (const engine::SeenCandidate& c : t.candidates) w.put_text(c.text);
  return frame(Channel::kToken, run, step, w);
}

Frame stat_frame(const engine::LayerStat& stat, u32 run, u32 step) {
  Writer w;
  for (const u32 value : {stat.layer, u32(stat.heads.size()), stat.first, stat.keys}) w.put(value);
  w.put(stat.check_sum);
  w.put(stat.check_value);
  w.put(stat.head_begin);
  w.put(u32(stat.sparse));
  for (const engine::HeadStat& head : stat.heads)
    for (const f32 value :
         {head.entropy, head.max, head.sink_mass, head.recent_mass, head.distance, head.null_mass})
      w.put(value);
  return frame(Channel::kAttentionStat, run, step, w);
}

Frame top_frame(const engine::LayerTop& top, u32 run, u32 step) {
  Writer w;
  for (const u32 value : {top.layer, u32(top.heads.size()), engine::kTopKeys, top.keys})
    w.put(value);
  for (const auto& head : top.heads)
    for (u32 i = 0; i < engine::kTopKeys; ++i) w.put(i < head.size() ? head[i].position : ~u32(0));
  for (const auto& head : top.heads)
    for (u32 i = 0; i < engine::kTopKeys; ++i) w.put(i < head.size() ? head[i].weight : f32(0));
  return frame(Channel::kAttentionTopk, run, step, w);
}

Frame route_frame(const std::vector<engine::LayerRoute>& routes, u32 run, u32 step) {
  Writer w;
  u64 most = 0, experts = 0;
  for (const engine::LayerRoute& route : routes) {
    most = std::max<u64>(most, route.chosen.size());
    experts = std::max<u64>(experts, route.scores.size());
  }
  for (const u64 value : {u64(routes.size()), most, experts, u64(0)}) w.put(u32(value));
  for (const engine::LayerRoute& route : routes) w.put(route.layer);
  for (const engine::LayerRoute& route : routes) w.put(route.margin);
  for (const engine::LayerRoute& route : routes)
    for (u64 k = 0; k < most; ++k) w.put(k < route.chosen.size() ? route.chosen[k] : ~u32(0));
  for (const engine::LayerRoute& route : routes)
    for (u64 k = 0; k < most; ++k) w.put(k < route.weights.size() ? route.weights[k] : f32(0));
  return frame(Channel::kRoute, run, step, w);
}

Frame route_full_frame(const std::vector<engine::LayerRoute>& routes, u32 run, u32 step) {
  Writer w;
  u64 experts = 0, groups = 0;
  bool biased = false;
  for (const engine::LayerRoute& route : routes) {
    experts = std::max<u64>(experts, route.scores.size());
    groups = std::max<u64>(groups, route.kept_groups.size());
    biased |= !route.biased.empty();
  }
  const u32 flags = (biased ? 1u : 0u) | (groups > 0 ? 2u : 0u);
  for (const u64 value : {u64(routes.size()), experts, u64(flags), groups}) w.put(u32(value));
  for (const engine::LayerRoute& route : routes) w.put(route.layer);
  const auto put_scores = [&](auto field) {
    for (const engine::LayerRoute& route : routes)
      for (u64 e = 0; e < experts; ++e)
        w.put(e < (route.*field).size() ? (route.*field)[e] : engine::kUnknown);
  };
  put_scores(&engine::LayerRoute::scores);
  if (biased) put_scores(&engine::LayerRoute::biased);
  for (const engine::LayerRoute& route : routes)
    for (u64 g = 0; g < groups; ++g)
      w.put(u32(g < route.kept_groups.size() ? route.kept_groups[g] : 1));
  return frame(Channel::kRouteFull, run, step, w);
}

Frame kv_frame(const std::vector<engine::KvEvent>& events, u32 run, u32 step) {
  Writer w;
  w.put(u32(events.size()));
  w.put(u32(0));
  for (const engine::KvEvent& event : events)
    for (const u32 value : {u32(event.kind), event.group, event.page, event.position}) w.put(value);
  return frame(Channel::kKv, run, step, w);
}

Frame residual_frame(const std::vector<engine::LayerResidual>& layers, u32 run, u32 step) {
  Writer w;
  for (const u32 value : {u32(layers.size()), 0u, 0u, 0u}) w.put(value);
  for (const auto field : {&engine::LayerResidual::norm, &engine::LayerResidual::attention,
                           &engine::LayerResidual::ffn, &engine::LayerResidual::cosine})
    for (const engine::LayerResidual& layer : layers) w.put(layer.*field);
  return frame(Channel::kResidual, run, step, w);
}

}  // namespace

std::span<const ChannelInfo> channels() { return kChannels; }

const ChannelInfo* find_channel(std::string_view name) {
  const auto found = std::find_if(std::begin(kChannels), std::end(kChannels),
                                  [&](const ChannelInfo& info) { return info.name == name; });
  return found == std::end(kChannels) ? nullptr : found;
}

Frame json_frame(Channel channel, u32 run, u32 step, const Json& data) {
  const std::string text = dump(data);
  Writer w;
  w.put(u32(text.size()));
  w.put(u32(0));
  w.put_text(text);
  Frame made = frame(channel, run, step, w);
  made.flags = kJsonPayload;
  return made;
}

// A row in bins: of each the greatest weight, so that no peak is lost.
Frame row_frame(const engine::HeadRow& row, u32 run, u32 step, u32 bins) {
  const std::vector<f32>& weights = row.row.weights;
  const bool sparse = !row.positions.empty();
  const u64 each = sparse ? 1 : std::max<u64>(1, divide_up(u64(weights.size()), u64(bins)));
  std::vector<f32> greatest(divide_up(u64(weights.size()), each));
  f32 scale = 0;
  for (u64 i = 0; i < weights.size(); ++i) {
    greatest[i / each] = std::max(greatest[i / each], weights[i]);
    scale = std::max(scale, weights[i]);
  }
  Writer w;
  for (const u32 value :
       {row.layer, row.head, row.row.first, u32(weights.size()), u32(greatest.size()), u32(each)})
    w.put(value);
  w.put(scale);
  w.put(row.row.null_mass);
  w.put(row.row.sum());
  w.put(row.check_value);
  w.put(u32(sparse));
  w.put(u32(0));
  for (const f32 weight : greatest) w.put(u16(scale > 0 ? std::lround(weight / scale * 65535) : 0));
  w.pad(4);
  if (sparse) w.put_all(row.positions);
  return frame(Channel::kAttentionRow, run, step, w);
}

Frame tile_frame(const TileValues& tile, u32 run) {
  Writer w;
  for (const u32 value :
       {tile.layer, tile.head, tile.row0, tile.row1, tile.col0, tile.col1, tile.rows, tile.cols})
    w.put(value);
  bool masked = false;
  f32 scales[2] = {0, 0};
  for (const f32 value : tile.max) masked |= std::isnan(value);
  for (const f32 value : tile.max) scales[0] = std::max(scales[0], value);
  for (const f32 value : tile.mean) scales[1] = std::max(scales[1], value);
  w.put(scales[0]);
  w.put(scales[1]);
  w.put(u32(masked));
  w.put(u32(0));
  const std::vector<f32>* parts[] = {&tile.max, &tile.mean};
  for (u32 i = 0; i < 2; ++i)
    for (const f32 value : *parts[i])
      w.put(std::isnan(value) ? u16(65535)
                              : u16(scales[i] > 0 ? std::lround(value / scales[i] * 65534) : 0));
  return frame(Channel::kAttentionTile, run, tile.row1 - 1, w);
}

std::vector<Frame> encode(const engine::StepSeen& seen, u32 run, u32 on, u32 bins) {
  std::vector<Frame> frames;
  const u32 step = seen.position;
  const auto wants = [&](Channel channel) { return (on & bit(channel)) != 0; };
  if (seen.token && wants(Channel::kToken)) frames.push_back(token_frame(*seen.token, run, step));
  if (!seen.kv.empty() && wants(Channel::kKv)) frames.push_back(kv_frame(seen.kv, run, step));
  if (!seen.routes.empty() && wants(Channel::kRoute))
    frames.push_back(route_frame(seen.routes, run, step));
  if (!seen.routes.empty() && seen.routes_full && wants(Channel::kRouteFull))
    frames.push_back(route_full_frame(seen.routes, run, step));
  if (!seen.residual.empty() && wants(Channel::kResidual))
    frames.push_back(residual_frame(seen.residual, run, step));
  if (wants(Channel::kAttentionStat))
    for (const auto& stat : seen.stats) frames.push_back(stat_frame(stat, run, step));
  if (wants(Channel::kAttentionTopk))
    for (const auto& top : seen.tops) frames.push_back(top_frame(top, run, step));
  if (wants(Channel::kAttentionRow))
    for (const auto& row : seen.rows) frames.push_back(row_frame(row, run, step, bins));
  for (Frame& one : frames)
    if (seen.thinned) one.flags |= kThinned;
  const bool computed = !seen.kv.empty() || !seen.routes.empty() || !seen.residual.empty();
  if (computed && !frames.empty()) frames.back().flags |= kLastOfStep;
  return frames;
}

void add_bytes(const Frame& frame, u64 sequence, std::string& out) {
  Writer w(kFrameHeaderBytes);
  w.put(u16(0x524f));
  w.put(u8(1));
  w.put(u8(frame.channel));
  w.put(frame.flags);
  w.put(u16(kFrameHeaderBytes / 4));
  w.put(sequence);
  w.put(frame.run);
  w.put(frame.step);
  w.put(frame.time_us);
  w.put(u32(frame.payload.size()));
  out += w.take();
  out += frame.payload;
}

}  // namespace orrery::serve
