// Frames of the Explorer's feed: what was seen of a run, byte by byte (docs/formats/feed.md).
//
// encode() makes frames of what the engine saw; to_json() reads a frame back as the object of its
// line of ndjson, so that both forms hold the same values by construction.
#pragma once

#include <span>
#include <string>

#include "engine/observation.h"
#include "serve/errors.h"

namespace orrery::serve {

enum class Channel : u8 {
  kCatalog = 0,
  kToken = 1,
  kAttentionStat = 2,
  kAttentionRow = 3,
  kAttentionTopk = 4,
  kAttentionTile = 5,
  kRoute = 6,
  kRouteFull = 7,
  kKv = 8,
  kResidual = 9,
  kSys = 12,
  kRun = 13,
  kGap = 14
};

struct ChannelInfo {
  Channel channel;
  std::string_view name;
  bool by_default, always;
  std::string_view sentence;
};
[[nodiscard]] std::span<const ChannelInfo> channels();
[[nodiscard]] const ChannelInfo* find_channel(std::string_view name);
[[nodiscard]] constexpr u32 bit(Channel channel) { return u32(1) << u8(channel); }

enum FrameFlag : u16 { kLastOfStep = 1, kThinned = 2, kReplay = 4, kJsonPayload = 8 };
inline constexpr u32 kFrameHeaderBytes = 32;

struct Frame {
  Channel channel = Channel::kRun;
  u16 flags = 0;
  u32 run = 0, step = 0, time_us = 0;
  std::string payload;  // padded to a multiple of 8
};

// The frames of one step, in order, the last marked if the step has been computed. `on`: bits of
// the channels that are wanted; `bins`: the greatest number of bins of a row.
[[nodiscard]] std::vector<Frame> encode(const engine::StepSeen& seen, u32 run, u32 on, u32 bins);
[[nodiscard]] Frame json_frame(Channel channel, u32 run, u32 step, const Json& data);
[[nodiscard]] Frame row_frame(const engine::HeadRow& row, u32 run, u32 step, u32 bins);

struct TileValues {
  u32 layer, head, row0, row1, col0, col1, rows, cols;
  std::vector<f32> max, mean;  // [rows, cols], NaN where masked
};
[[nodiscard]] Frame tile_frame(const TileValues& tile, u32 run);

// Appends header and payload as they go over the wire; the same as a line of ndjson.
void add_bytes(const Frame& frame, u64 sequence, std::string& out);
[[nodiscard]] Json to_json(const Frame& frame, u64 sequence);

}  // namespace orrery::serve
