// What was seen of one token of a watched run: plain values, in the words of docs/formats/feed.md.
//
// Whoever shows them need know no tensor. NaN: not known.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "forward/attention_rows.h"
#include "forward/sampler.h"
#include "text/tokenizer.h"

namespace orrery::engine {

inline constexpr u32 kWatchedCandidates = 20;
inline constexpr u32 kTopKeys = 16;  // of a head, on pause
inline constexpr u32 kSinkKeys = 4;  // the first keys, whose mass is told apart (Xiao et al. 2023)
inline constexpr u32 kRecentKeys = 64;
inline constexpr f32 kUnknown = std::numeric_limits<f32>::quiet_NaN();

enum class TokenKind : u32 { kPrompt, kReply, kSet };

struct SeenCandidate {
  text::TokenId id = 0;
  std::string text = {};
  f32 logprob = kUnknown;  // of the raw logits
  f32 probability = 0;     // after the chain
  f32 bar_begin = kUnknown;
  u32 dropped_by = forward::kDroppedNever;  // index into stages
};

struct SeenToken {
  text::TokenId id = 0;
  TokenKind kind = TokenKind::kPrompt;
  bool special = false;
  std::string bytes = {}, text = {};  // the token's own; what became whole characters with it
  f32 logprob = kUnknown, entropy = kUnknown;
  u32 rank = ~u32(0);
  f64 uniform = std::numeric_limits<f64>::quiet_NaN();
  f32 bar_begin = kUnknown, bar_end = kUnknown;
  f32 forward_ms = kUnknown, observer_ms = kUnknown;
  std::vector<forward::SamplerRecord::Stage> stages = {};
  std::vector<SeenCandidate> candidates = {};
};

struct HeadStat {
  f32 entropy = 0, max = 0, sink_mass = 0, recent_mass = 0, distance = 0, null_mass = 0;
};
struct LayerStat {
  u32 layer = 0, first = 0, keys = 0, head_begin = 0;
  bool sparse = false;
  f32 check_sum = 0, check_value = kUnknown;
  std::vector<HeadStat> heads = {};
};

struct HeadRow {
  u32 layer = 0, head = 0;
  forward::AttentionRow row = {};
  std::vector<u32> positions = {};  // where an indexer chose the keys
  f32 check_value = kUnknown;
};

struct LayerTop {
  u32 layer = 0, keys = 0;
  struct Key {
    u32 position;
    f32 weight;
  };
  std::vector<std::vector<Key>> heads = {};  // [heads], up to kTopKeys, the greatest first
};

struct LayerRoute {
  u32 layer = 0;
  f32 margin = 0;
  std::vector<u32> chosen = {};      // [active], best first
  std::vector<f32> weights = {};     // [active]
  std::vector<f32> scores = {};      // [experts]
  std::vector<f32> biased = {};      // [experts] or empty
  std::vector<u8> kept_groups = {};  // [groups] or empty
};

struct LayerResidual {
  f32 norm = 0, attention = 0, ffn = 0, cosine = 0;
};

enum class KvEventKind : u32 { kWrite, kLeave, kTake, kGive, kShare };
inline constexpr u32 kWholeCache = ~u32(0);
struct KvEvent {
  KvEventKind kind;
  u32 group, page, position;
};

// Everything of one position; the token first, the rest when it has been computed.
struct StepSeen {
  u32 position = 0;
  bool thinned = false, routes_full = false;
  std::optional<SeenToken> token = {};
  std::vector<KvEvent> kv = {};
  std::vector<LayerRoute> routes = {};
  std::vector<LayerResidual> residual = {};  // [layers] or empty
  std::vector<LayerStat> stats = {};
  std::vector<HeadRow> rows = {};
  std::vector<LayerTop> tops = {};
};

// Layers whose keys and values are kept and seen alike.
struct KvGroup {
  std::string kind = {};  // "grouped", "latent", "state"
  std::vector<u32> layers = {};
  u32 window = 0, chunk = 0;
  u64 position_bytes = 0;           // of one layer
  u64 expanded_position_bytes = 0;  // if keys and values of all heads were kept
};

}  // namespace orrery::engine
