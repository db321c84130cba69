// What is looked at on demand: rows and tiles of any position, and what would have been otherwise.
#include <algorithm>

#include "engine/attention_tile.h"
#include "engine/counterfactual.h"
#include "serve/explorer/explorer.h"
#include "serve/explorer/query.h"

namespace orrery::serve {

// control.cpp
[[nodiscard]] Checked<forward::SamplerSettings> read_sampler(const Json& body,
                                                             forward::SamplerSettings settings);

namespace {

constexpr u32 kTileMin = 16, kTileMax = 256;
// Rows of a tile are tokens that are computed again: so many are a prompt of some seconds.
constexpr u32 kTileRowsMax = 4096;

ApiError gone() {
  return {409, "the run's keys are no longer in the cache", "resume or branch it", "wrong_state"};
}

void respond_frames(const Answering& exchange, const std::vector<Frame>& frames, bool json,
                    bool as_array) {
  if (json) {
    Json all = Json::array();
    for (const Frame& frame : frames) all.push_back(to_json(frame, 0));
    return respond(exchange, as_array ? all : all.at(0));
  }
  std::string bytes;
  for (const Frame& frame : frames) add_bytes(frame, 0, bytes);
  exchange->respond({.body = std::move(bytes),
                     .content_type = "application/octet-stream",
                     .headers = {{"Cache-Control", "no-store"}}});
}

struct LayerHead {
  u32 run, layer;
  std::optional<u64> head;
  bool json;
};

// What requests for rows and tiles share, held against the model.
Checked<LayerHead> read_layer(const Query& query, const model::ModelSpec& spec, u32 last_run) {
  ASK(const auto run, query.number("run"));
  ASK(const auto layer, query.number("layer"));
  ASK(const auto head, query.number("head"));
  const u64 which = layer.value_or(0);
  if (which >= spec.layers.size())
    return refuse(400, fmt::format("there are {} layers", spec.layers.size()), "layer");
  const u32 heads = forward::row_heads(spec.layers[which]);
  if (heads == 0)
    return refuse(400, fmt::format("layer {} keeps a state and no keys", which), "",
                  "not_applicable");
  if (head.value_or(0) >= heads)
    return refuse(400, fmt::format("layer {} has {} heads", which, heads), "head");
  const std::string format = query.text("format", "binary");
  if (format != "binary" && format != "json") return refuse(400, "'format' must be binary or json");
  return LayerHead{u32(std::min<u64>(run.value_or(last_run), ~u32(0))), u32(which), head,
                   format == "json"};
}

Json token_json(const engine::Engine& engine, const engine::Compared::Top& top) {
  const text::Tokenizer* tokenizer = engine.tokenizer();
  return {{"id", top.id},
          {"text", tokenizer ? tokenizer->token_bytes(top.id) : ""},
          {"logprob", top.logprob}};
}

Json what_if_json(const engine::Engine& engine, u32 run, const engine::WhatIf& result) {
  Json kl = Json::array(), top = Json::array();
  f64 sum = 0;
  f32 most = 0;
  u32 flips = 0;
  for (const engine::Compared& one : result.positions) {
    kl.push_back(one.kl);
    sum += one.kl;
    most = std::max(most, one.kl);
    flips += one.before.id != one.after.id;
    top.push_back({{"position", one.position},
                   {"before", token_json(engine, one.before)},
                   {"after", token_json(engine, one.after)}});
  }
  return {{"run", run},
          {"position", result.positions.back().position},
          {"count", result.positions.size()},
          {"kl", std::move(kl)},
          {"kl_mean", sum / f64(result.positions.size())},
          {"kl_max", most},
          {"top1_flips", flips},
          {"top1", std::move(top)},
          {"ms", result.ms},
          {"ms_unchanged", result.ms_unchanged},
          {"recompute", result.recompute}};
}

engine::Change read_change(const FieldReader& fields) {
  engine::Change change;
  const auto number = [&](std::string_view name) -> std::optional<u32> {
    const auto value = fields.integer(name);
    return value ? std::optional(u32(*value)) : std::nullopt;
  };
  change.window = number("window");
  change.sinks = number("sinks");
  change.experts_active = number("experts_active");
  if (const Json* dropped = fields.find("experts_dropped"))
    for (const Json& one : *dropped) {
      const FieldReader reader(one);
      const auto layer = reader.integer("layer");
      change.dropped.push_back(
          {layer ? std::optional(u32(*layer)) : std::nullopt, u32(*reader.integer("expert"))});
    }
  return change;
}

}  // namespace

Checked<void> Explorer::rows(const Request& request, const Answering& exchange) {
  ASK(const Query query, Query::parse(request.query));
  ASK(const SessionPointer session, find_session(query.text("session")));
  ASK(const auto position, query.number("position"));
  ask_engine(exchange, [this, session, exchange, query, position]() -> Checked<void> {
    ASK(const LayerHead at, read_layer(query, engine_.model().spec, session->last_run));
    ASK(const u32 number, number_of(*session, {{"run", at.run}}));
    engine::WatchedRun& run = *session->runs.at(number).run;
    if (!run.in_cache() || run.computed() == 0) return tl::unexpected<ApiError>(gone());
    const u64 where = position.value_or(run.computed() - 1);
    if (where >= run.computed())
      return refuse(400, fmt::format("{} positions have been computed", run.computed()),
                    "position");
    if (auto done = run.revisit(u32(where)); !done)
      return refuse(400, done.error().message, "", "not_applicable");
    const u32 heads = watcher().heads_of(at.layer);
    std::vector<Frame> frames;
    for (u32 h = u32(at.head.value_or(0)); h < (at.head ? *at.head + 1 : heads); ++h)
      frames.push_back(row_frame(watcher().row(at.layer, h), number, u32(where), ~u32(0)));
    respond_frames(exchange, frames, at.json, true);
    return {};
  });
  return {};
}

Checked<void> Explorer::tile(const Request& request, const Answering& exchange) {
  ASK(const Query query, Query::parse(request.query));
  ASK(const SessionPointer session, find_session(query.text("session")));
  std::map<std::string_view, std::optional<u64>> given;
  for (const std::string_view name : {"row0", "row1", "col0", "col1", "size"}) {
    ASK(given[name], query.number(name));
  }
  ask_engine(exchange, [this, session, exchange, query, given]() -> Checked<void> {
    ASK(const LayerHead at, read_layer(query, engine_.model().spec, session->last_run));
    ASK(const u32 number, number_of(*session, {{"run", at.run}}));
    const engine::WatchedRun& run = *session->runs.at(number).run;
    if (!run.in_cache() || run.computed() == 0) return tl::unexpected<ApiError>(gone());
    if (!engine_.cache().rewinds())
      return refuse(400, "this model keeps states, which know no way back", "", "not_applicable");
    const u64 length = run.computed();
    const u64 row0 = given.at("row0").value_or(0), row1 = given.at("row1").value_or(length);
    const u64 col0 = given.at("col0").value_or(0), col1 = given.at("col1").value_or(length);
    const u64 size = given.at("size").value_or(kTileMax);
    if (row0 >= row1 || row1 > length || col0 >= col1 || col1 > length)
      return refuse(400, fmt::format("rows and columns must lie within {} positions", length));
    if (size < kTileMin || size > kTileMax)
      return refuse(400, fmt::format("'size' must be from {} to {}", kTileMin, kTileMax));
    if (row1 - row0 > kTileRowsMax)
      return refuse(400,
                    fmt::format("{} rows would be computed again, as long as a prompt of {} "
                                "tokens takes",
                                row1 - row0, row1 - row0),
                    fmt::format("ask for at most {} rows", kTileRowsMax), "too_expensive");
    const engine::TileRequest wanted{
        at.layer, u32(at.head.value_or(0)), u32(row0), u32(row1), u32(col0), u32(col1), u32(size)};
    const auto tile = std::make_shared<engine::AttentionTile>(engine_, watcher(), wanted);
    heavy([this, session, exchange, number, wanted, tile, json = at.json] {
      const auto found = session->runs.find(number);
      Result<bool> done = found == session->runs.end() ? Result<bool>(fail("the run is gone"))
                                                       : tile->advance(*found->second.run);
      if (!done) {
        exchange->respond(error_response(Style::kExplorer,
                                         ApiError(409, done.error().message, "", "wrong_state")));
        return false;
      }
      if (!*done) return true;
      const TileValues values{wanted.layer,
                              wanted.head,
                              wanted.row0,
                              wanted.row1,
                              wanted.col0,
                              wanted.col1,
                              tile->rows(),
                              tile->cols(),
                              std::move(tile->max()),
                              std::move(tile->mean())};
      respond_frames(exchange, {tile_frame(values, number)}, json, false);
      return false;
    });
    return {};
  });
  return {};
}

Checked<void> Explorer::counterfactual(const Json& body, const SessionPointer& session,
                                       const Answering& exchange) {
  const auto try_it = [this, session, exchange, body]() -> Checked<void> {
    const FieldReader fields(body);
    ASK(const u32 number, number_of(*session, body));
    engine::WatchedRun& run = *session->runs.at(number).run;
    const bool recompute = fields.boolean("recompute");
    if (run.computed() == 0 && !recompute) return tl::unexpected<ApiError>(gone());
    const u64 known = run.computed() > 0 ? run.computed() : run.tokens().size();
    const u64 position = fields.integer("position") ? u64(*fields.integer("position")) : known - 1;
    const u64 count = u64(fields.integer("count").value_or(1));
    if (position >= known || count > position + 1)
      return refuse(400, fmt::format("{} positions are known", known), "position");
    if (fields.find("sampler")) {
      ASK(const forward::SamplerSettings settings, read_sampler(body, run.request().sampler));
      auto token = run.resample(u32(position), settings);
      if (!token) return refuse(400, token.error().message, "", "not_applicable");
      engine::StepSeen seen{.position = u32(position) + 1};
      seen.token = std::move(*token);
      const Json twin = to_json(encode(seen, number, ~u32(0), kBinsMax).at(0), 0);
      const Json& data = twin["data"];
      Json drawn;
      for (const char* name : {"id", "text", "logprob", "rank", "bar_begin", "bar_end"})
        drawn[name] = data[name];
      respond(exchange, {{"run", number},
                         {"position", position},
                         {"u", data["u"]},
                         {"token", drawn},
                         {"stages", data["stages"]},
                         {"candidates", data["candidates"]}});
      return {};
    }
    const engine::Change change = read_change(fields);
    if (auto good = engine::check_change(engine_.model().spec, change); !good)
      return refuse(400, good.error().message, "", "not_applicable");
    auto result = engine::what_if(engine_, run, u32(position), u32(count), change, recompute);
    if (!result) return refuse(429, result.error().message, "stop a run", "busy");
    Json answer = what_if_json(engine_, number, *result);
    Json changed = Json::object();
    for (const char* name : {"window", "sinks", "experts_active", "experts_dropped"})
      if (const Json* value = fields.find(name)) changed[name] = *value;
    answer["changed"] = std::move(changed);
    respond(exchange, answer);
    return {};
  };
  heavy([exchange, try_it] {
    if (auto done = try_it(); !done)
      exchange->respond(error_response(Style::kExplorer, done.error()));
    return false;
  });
  return {};
}

}  // namespace orrery::serve
