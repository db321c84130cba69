#include "serve/explorer/catalog.h"

#include "engine/catalog.h"
#include "serve/explorer/frame.h"

namespace orrery::serve {
namespace {

Checked<Json> side_json(const ModelHost& host, const Json& catalog, std::string_view wanted) {
  if (wanted.empty() || host.is_called(wanted)) {
    Json side;
    for (const char* part : {"model", "spec", "totals", "blocks"}) side[part] = catalog[part];
    return side;
  }
  auto side = engine::describe_published(wanted);
  if (side) return std::move(*side);
  return refuse(404,
                fmt::format("'{}' is neither loaded nor a published config that is known",
                            wanted.substr(0, 100)),
                "'published' of the catalogue lists them", "not_found");
}

}  // namespace

Json catalog_json(const ModelHost& host, const std::string& version) {
  Json described = engine::describe_loaded(host.engine);
  Json all = Json::array();
  for (const ChannelInfo& info : channels())
    all.push_back({{"number", u32(info.channel)},
                   {"name", info.name},
                   {"default", info.by_default},
                   {"sentence", info.sentence}});
  described["engine"]["version"] = version;
  return {{"protocol", 1},
          {"model",
           {{"id", host.id},
            {"hash", described["hash"]},
            {"family", host.family},
            {"source", host.path_name},
            {"format", host.quantization},
            {"file_bytes", host.size_bytes},
            {"loaded", true},
            {"badge", "exact"}}},
          {"spec", described["spec"]},
          {"totals", described["totals"]},
          {"blocks", described["blocks"]},
          {"engine", described["engine"]},
          {"formulas",
           {{"matrix", "2 x rows x columns, times active / experts in a stack of experts"},
            {"grouped", "4 x heads x head_dim x keys seen"},
            {"latent", "2 x heads x (2 x kv_rank + rope_dim) x keys seen"}}},
          {"stages", described["stages"]},
          {"channels", std::move(all)},
          {"chat", host.engine.chat_template() != nullptr},
          {"tokenizer", host.engine.tokenizer() != nullptr},
          {"published", engine::list_published()}};
}

Checked<Json> compare_json(const ModelHost& host, const Json& catalog, std::string_view a,
                           std::string_view b) {
  ASK(Json left, side_json(host, catalog, a));
  ASK(Json right, side_json(host, catalog, b));
  Json differs = Json::array();
  for (const auto& [key, value] : left["spec"].items())
    if (value != right["spec"][key]) differs.push_back(key);
  for (const auto& [key, value] : left["totals"].items())
    if (value != right["totals"][key]) differs.push_back(key);
  return Json{{"a", std::move(left)}, {"b", std::move(right)}, {"differs", std::move(differs)}};
}

}  // namespace orrery::serve
