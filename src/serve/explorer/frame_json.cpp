// Frames read back as JSON: the twin of each channel's payload.
#include <cmath>
#include <cstring>

#include "serve/explorer/frame.h"

namespace orrery::serve {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  [[nodiscard]] T take() {
    T value{};
    if (at_ + sizeof(T) <= bytes_.size()) std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  [[nodiscard]] u32 number() { return take<u32>(); }
  [[nodiscard]] Json real() { return real_of(f64(take<f32>())); }
  [[nodiscard]] static Json real_of(f64 value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  }
  [[nodiscard]] std::string_view text(u64 count) {
    const u64 begin = std::min<u64>(at_, bytes_.size());
    at_ += count;
    return bytes_.substr(begin, count);
  }
  void align(u64 grain) { at_ = round_up(at_, grain); }

 private:
  std::string_view bytes_;
  u64 at_ = 0;
};

constexpr u32 kNo = ~u32(0);
Json or_null(u32 value) { return value == kNo ? Json(nullptr) : Json(value); }

Json token_json(Reader& r) {
  Json data;
  data["id"] = r.number();
  constexpr std::string_view kKinds[] = {"prompt", "reply", "set"};
  data["kind"] = kKinds[std::min(r.number(), 2u)];
  data["logprob"] = r.real();
  data["entropy"] = r.real();
  data["u"] = Reader::real_of(r.take<f64>());
  data["bar_begin"] = r.real();
  data["bar_end"] = r.real();
  data["rank"] = or_null(r.number());
  const u32 candidates = r.number(), stages = r.number(), bytes = r.number(), text = r.number();
  data["forward_ms"] = r.real();
  data["observer_ms"] = r.real();
  data["special"] = r.number() != 0;
  data["stages"] = Json::array();
  for (u32 i = 0; i < stages; ++i) {
    const u32 stage = r.number(), survivors = r.number();
    Json one = {{"stage", forward::name(forward::SamplerStage(stage))}, {"survivors", survivors}};
    one["mass"] = r.real();
    one["value"] = r.real();
    data["stages"].push_back(std::move(one));
  }
  data["candidates"] = Json::array();
  std::vector<u32> lengths;
  for (u32 i = 0; i < candidates; ++i) {
    Json one;
    one["id"] = r.number();
    one["text"] = "";
    one["logprob"] = r.real();
    one["probability"] = r.real();
    one["bar_begin"] = r.real();
    const u32 dropped = r.number();
    one["dropped_by"] = dropped < stages ? data["stages"][dropped]["stage"] : Json(nullptr);
    lengths.push_back(r.number());
    data["candidates"].push_back(std::move(one));
  }
  data["bytes"] = Json::array();
  for (const char c : r.text(bytes)) data["bytes"].push_back(u8(c));
  data["text"] = r.text(text);
  for (u32 i = 0; i < candidates; ++i) data["candidates"][i]["text"] = r.text(lengths[i]);
  return data;
}

Json stat_json(Reader& r) {
  Json data;
  data["layer"] = r.number();
  const u32 heads = r.number();
  data["first"] = r.number();
  data["keys"] = r.number();
  data["check_sum"] = r.real();
  data["check_value"] = r.real();
  data["head_begin"] = r.number();
  data["sparse"] = r.number() != 0;
  data["heads"] = Json::array();
  for (u32 h = 0; h < heads; ++h) {
    Json head;
    for (const char* name : {"entropy", "max", "sink_mass", "recent_mass", "distance", "null_mass"})
      head[name] = r.real();
    data["heads"].push_back(std::move(head));
  }
  return data;
}

Json row_json(Reader& r) {
  Json data;
  for (const char* name : {"layer", "head", "first", "keys"}) data[name] = r.number();
  const u32 bins = r.number();
  data["keys_per_bin"] = r.number();
  const f32 scale = r.take<f32>();
  data["null_mass"] = r.real();
  data["sum"] = r.real();
  data["check_value"] = r.real();
  const bool sparse = r.number() != 0;
  data["sparse"] = sparse;
  (void)r.number();
  data["weights"] = Json::array();
  for (u32 i = 0; i < bins; ++i) data["weights"].push_back(f64(r.take<u16>()) * f64(scale) / 65535);
  r.align(4);
  data["positions"] = nullptr;
  if (!sparse) return data;
  data["positions"] = Json::array();
  for (u32 i = 0; i < bins; ++i) data["positions"].push_back(r.number());
  return data;
}

Json top_json(Reader& r) {
  Json data;
  data["layer"] = r.number();
  const u32 heads = r.number(), keys = r.number();
  data["keys"] = r.number();
  std::vector<u32> positions(u64(heads) * keys);
  for (u32& position : positions) position = r.number();
  data["heads"] = Json::array();
  for (u32 h = 0; h < heads; ++h) {
    Json head = Json::array();
    for (u32 k = 0; k < keys; ++k) {
      const Json weight = r.real();
      if (const u32 position = positions[u64(h) * keys + k]; position != kNo)
        head.push_back({{"position", position}, {"weight", weight}});
    }
    data["heads"].push_back(std::move(head));
  }
  return data;
}

Json tile_json(Reader& r) {
  Json data;
  for (const char* name : {"layer", "head", "row0", "row1", "col0", "col1"})
    data[name] = r.number();
  const u32 rows = r.number(), cols = r.number();
  const f32 scales[] = {r.take<f32>(), r.take<f32>()};
  data["masked"] = r.number() != 0;
  (void)r.number();
  const char* names[] = {"max", "mean"};
  for (u32 part = 0; part < 2; ++part) {
    Json values = Json::array();
    for (u32 i = 0; i < rows; ++i) {
      Json row = Json::array();
      for (u32 j = 0; j < cols; ++j) {
        const u16 number = r.take<u16>();
        row.push_back(number == 65535 ? Json(nullptr)
                                      : Json(f64(number) * f64(scales[part]) / 65534));
      }
      values.push_back(std::move(row));
    }
    data[names[part]] = std::move(values);
  }
  return data;
}

Json route_json(Reader& r) {
  const u32 count = r.number(), most = r.number();
  Json data = {{"experts", r.number()}};
  (void)r.number();
  Json layers = Json::array();
  for (u32 i = 0; i < count; ++i) layers.push_back({{"layer", r.number()}});
  for (u32 i = 0; i < count; ++i) layers[i]["margin"] = r.real();
  for (u32 i = 0; i < count; ++i) {
    layers[i]["experts"] = Json::array();
    for (u32 k = 0; k < most; ++k)
      if (const u32 id = r.number(); id != kNo) layers[i]["experts"].push_back({{"id", id}});
  }
  for (u32 i = 0; i < count; ++i)
    for (u32 k = 0; k < most; ++k) {
      const Json weight = r.real();
      if (k < layers[i]["experts"].size()) layers[i]["experts"][k]["weight"] = weight;
    }
  data["layers"] = std::move(layers);
  return data;
}

Json route_full_json(Reader& r) {
  const u32 count = r.number(), experts = r.number(), flags = r.number(), groups = r.number();
  Json layers = Json::array();
  for (u32 i = 0; i < count; ++i) layers.push_back({{"layer", r.number()}});
  const auto read = [&](const char* name, u32 values, bool whole) {
    for (u32 i = 0; i < count; ++i) {
      layers[i][name] = Json::array();
      for (u32 v = 0; v < values; ++v)
        layers[i][name].push_back(whole ? Json(r.number() != 0) : r.real());
    }
  };
  read("scores", experts, false);
  if (flags & 1) read("biased", experts, false);
  if (flags & 2) read("kept", groups, true);
  return {{"experts", experts}, {"layers", std::move(layers)}};
}

Json kv_json(Reader& r) {
  constexpr std::string_view kKinds[] = {"write", "leave", "take", "give", "share"};
  const u32 count = r.number();
  (void)r.number();
  Json events = Json::array();
  for (u32 i = 0; i < count; ++i) {
    Json event;
    event["kind"] = kKinds[std::min(r.number(), 4u)];
    event["group"] = or_null(r.number());
    event["page"] = or_null(r.number());
    event["position"] = r.number();
    events.push_back(std::move(event));
  }
  return {{"events", std::move(events)}};
}

Json residual_json(Reader& r) {
  const u32 layers = r.number();
  for (u32 i = 0; i < 3; ++i) (void)r.number();
  Json data;
  for (const char* name : {"norm", "attention", "ffn", "cosine"}) {
    data[name] = Json::array();
    for (u32 i = 0; i < layers; ++i) data[name].push_back(r.real());
  }
  return data;
}

Json payload_json(const Frame& frame) {
  Reader r(frame.payload);
  if (frame.flags & kJsonPayload) {
    const u32 bytes = r.number();
    (void)r.number();
    return Json::parse(r.text(bytes), nullptr, false);
  }
  switch (frame.channel) {
    case Channel::kToken:
      return token_json(r);
    case Channel::kAttentionStat:
      return stat_json(r);
    case Channel::kAttentionRow:
      return row_json(r);
    case Channel::kAttentionTopk:
      return top_json(r);
    case Channel::kAttentionTile:
      return tile_json(r);
    case Channel::kRoute:
      return route_json(r);
    case Channel::kRouteFull:
      return route_full_json(r);
    case Channel::kKv:
      return kv_json(r);
    case Channel::kResidual:
      return residual_json(r);
    default:
      return nullptr;
  }
}

}  // namespace

Json to_json(const Frame& frame, u64 sequence) {
  std::string_view name = "unknown";
  for (const ChannelInfo& info : channels())
    if (info.channel == frame.channel) name = info.name;
  return {{"seq", sequence},
          {"channel", name},
          {"run", frame.run},
          {"step", frame.step},
          {"time_us", frame.time_us},
          {"last", (frame.flags & kLastOfStep) != 0},
          {"thinned", (frame.flags & kThinned) != 0},
          {"replay", (frame.flags & kReplay) != 0},
          {"data", payload_json(frame)}};
}

}  // namespace orrery::serve
