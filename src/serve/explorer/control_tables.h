// What the Explorer's requests may say, as tables (serve/fields.h): one a verb.
#pragma once

#include <string_view>

#include "serve/explorer/explorer.h"
#include "serve/fields.h"

namespace orrery::serve {

// Numbers of JSON are exact in a browser up to here.
inline constexpr u64 kSeedMask = (u64(1) << 53) - 1;
inline constexpr f64 kSeedMax = 9007199254740991.0, kTokensMax = 1 << 30;
inline constexpr u64 kBodyMax = u64(1) << 20;
// A session that nobody has looked at for so long gives way: longer than loading a page anew takes.
inline constexpr f64 kUnusedSeconds = 10;

inline constexpr Field kSessionField = {.name = "session", .kinds = kString, .required = true};
inline constexpr Field kRunField = {.name = "run", .kinds = kInteger, .min = 1, .max = kTokensMax};
inline constexpr Field kHead[] = {
    {.name = "layer", .kinds = kInteger, .max = 65535, .required = true},
    {.name = "head", .kinds = kInteger, .max = 65535, .required = true}};
inline constexpr Field kSubscribe[] = {
    kSessionField,
    {.name = "channels", .kinds = kArray, .item_kinds = kString, .count_max = 32},
    {.name = "heads",
     .kinds = kArray,
     .item_kinds = kObject,
     .count_max = kPinnedMax,
     .items = kHead},
    {.name = "bins", .kinds = kInteger, .min = kBinsMin, .max = kBinsMax}};
inline constexpr Field kSampler[] = {
    {.name = "temperature", .kinds = kNumber, .min = 0, .max = 100},
    {.name = "top_k", .kinds = kInteger, .min = 0, .max = kTokensMax},
    {.name = "top_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "min_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "typical_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "repetition_penalty", .kinds = kNumber, .min = 0.01, .max = 100},
    {.name = "presence_penalty", .kinds = kNumber, .min = -2, .max = 2},
    {.name = "frequency_penalty", .kinds = kNumber, .min = -2, .max = 2},
    {.name = "penalty_window", .kinds = kInteger, .min = 0, .max = kTokensMax}};
inline constexpr Field kSamplerField = {.name = "sampler", .kinds = kObject, .items = kSampler};
inline constexpr Field kSeedField = {.name = "seed", .kinds = kInteger, .min = 0, .max = kSeedMax};
inline constexpr Field kLengthField = {
    .name = "tokens_max", .kinds = kInteger, .min = 1, .max = kTokensMax};
inline constexpr Field kPausedField = {.name = "paused", .kinds = kBoolean};
inline constexpr Field kRun[] = {
    kSessionField,
    {.name = "messages", .kinds = kArray, .item_kinds = kObject, .count_max = 10'000},
    {.name = "prompt", .kinds = kString},
    {.name = "special", .kinds = kBoolean},
    {.name = "tokens", .kinds = kArray, .item_kinds = kInteger},
    kLengthField,
    kSeedField,
    kPausedField,
    {.name = "prompt_logprobs", .kinds = kBoolean},
    {.name = "ignore_eos", .kinds = kBoolean},
    {.name = "stop", .kinds = kArray, .item_kinds = kString, .count_max = 16},
    kSamplerField};
inline constexpr Field kMove[] = {kSessionField,
                                  kRunField,
                                  kLengthField,
                                  {.name = "count", .kinds = kInteger, .min = 1, .max = 1000}};
inline constexpr Field kBranch[] = {
    kSessionField,
    kRunField,
    {.name = "position", .kinds = kInteger, .min = 1, .max = kTokensMax, .required = true},
    {.name = "token", .kinds = kInteger, .min = 0, .max = kTokensMax, .required = true},
    kSeedField,
    kSamplerField,
    kLengthField,
    kPausedField};
inline constexpr Field kDropped[] = {
    {.name = "layer", .kinds = kInteger, .max = 65535},
    {.name = "expert", .kinds = kInteger, .max = 65535, .required = true}};
inline constexpr Field kCounterfactual[] = {
    kSessionField,
    kRunField,
    {.name = "position", .kinds = kInteger, .min = 0, .max = kTokensMax},
    {.name = "count", .kinds = kInteger, .min = 1, .max = 64},
    {.name = "window", .kinds = kInteger, .min = 0, .max = kTokensMax},
    {.name = "sinks", .kinds = kInteger, .min = 0, .max = kTokensMax},
    {.name = "experts_active", .kinds = kInteger, .min = 1, .max = 65535},
    {.name = "experts_dropped",
     .kinds = kArray,
     .item_kinds = kObject,
     .count_max = 4096,
     .items = kDropped},
    {.name = "recompute", .kinds = kBoolean},
    kSamplerField};
inline constexpr Field kOnlySession[] = {kSessionField};

struct Verb {
  std::string_view name;
  Table table;
};
inline constexpr Verb kVerbs[] = {{"session", {}},           {"close", kOnlySession},
                                  {"subscribe", kSubscribe}, {"run", kRun},
                                  {"pause", kMove},          {"resume", kMove},
                                  {"step", kMove},           {"stop", kMove},
                                  {"branch", kBranch},       {"counterfactual", kCounterfactual}};
inline constexpr std::string_view kReadable[] = {"catalog", "compare", "stream", "state",
                                                 "tile",    "rows",    "lens"};

}  // namespace orrery::serve
