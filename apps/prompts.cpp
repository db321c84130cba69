#include "apps/prompts.h"

#include <algorithm>
#include <limits>

#include "engine/conversation.h"

namespace orrery::apps {
namespace {

using engine::BatchRequest;
using engine::Engine;
using text::TokenId;

Result<void> read_number(const Json& line, const char* key, f32& to) {
  if (!line.contains(key)) return {};
  if (!line[key].is_number()) return fail("{} must be a number", key);
  to = line[key].get<f32>();
  return {};
}

template <typename T>
Result<void> read_count(const Json& line, const char* key, T& to) {
  if (!line.contains(key)) return {};
  if (!line[key].is_number_unsigned() || line[key].get<u64>() > std::numeric_limits<T>::max())
    return fail("{} must be a whole number that is not negative", key);
  to = line[key].get<T>();
  return {};
}

Result<void> read_flag(const Json& line, const char* key, bool& to) {
  if (!line.contains(key)) return {};
  if (!line[key].is_boolean()) return fail("{} must be true or false", key);
  to = line[key].get<bool>();
  return {};
}

Result<void> read_stops(const Json& line, std::vector<std::string>& stops) {
  if (!line.contains("stop")) return {};
  const Json& stop = line["stop"];
  stops.clear();
  const Json list = stop.is_array() ? stop : Json::array({stop});
  for (const Json& one : list) {
    if (!one.is_string()) return fail("stop must be a text or a list of texts");
    stops.push_back(one.get<std::string>());
  }
  return {};
}

constexpr std::string_view kKeys[] = {"prompt",
                                      "tokens",
                                      "messages",
                                      "max_tokens",
                                      "temperature",
                                      "top_k",
                                      "top_p",
                                      "min_p",
                                      "typical",
                                      "repetition_penalty",
                                      "seed",
                                      "greedy",
                                      "presence_penalty",
                                      "frequency_penalty",
                                      "stop",
                                      "id",
                                      "ignore_eos"};

Result<void> read_settings(const Json& line, engine::GenerateRequest& request) {
  for (const auto& [key, value] : line.items())
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys))
      return fail("\"{}\" is no setting of a prompt", key);
  forward::SamplerSettings& s = request.sampler;
  CHECK_OK(read_number(line, "temperature", s.temperature));
  CHECK_OK(read_count(line, "top_k", s.top_k));
  CHECK_OK(read_number(line, "top_p", s.top_p));
  CHECK_OK(read_number(line, "min_p", s.min_p));
  CHECK_OK(read_number(line, "typical", s.typical_p));
  CHECK_OK(read_number(line, "repetition_penalty", s.repetition_penalty));
  CHECK_OK(read_number(line, "presence_penalty", s.presence_penalty));
  CHECK_OK(read_number(line, "frequency_penalty", s.frequency_penalty));
  CHECK_OK(read_count(line, "seed", s.seed));
  CHECK_OK(read_count(line, "max_tokens", request.tokens_max));
  CHECK_OK(read_flag(line, "ignore_eos", request.ignore_stop_tokens));
  bool greedy = false;
  CHECK_OK(read_flag(line, "greedy", greedy));
  if (greedy) s.temperature = 0;
  return read_stops(line, request.stops);
}

Result<std::vector<TokenId>> encode(const Engine& engine, const Json& line) {
  if (line.contains("tokens")) return to_token_ids(line["tokens"]);
  if (line.contains("messages"))
    return engine::encode_chat(engine, line["messages"], Json::object());
  if (!line.contains("prompt") || !line["prompt"].is_string())
    return fail("a line needs \"prompt\", \"tokens\" or \"messages\"");
  const text::Tokenizer* tokenizer = engine.tokenizer();
  if (!tokenizer)
    return fail("this model has no tokenizer ({}); give \"tokens\"", engine.why_no_tokenizer());
  return tokenizer->encode(line["prompt"].get_ref<const std::string&>(), text::Special::kParse,
                           true);
}

}  // namespace

Result<std::vector<BatchRequest>> read_prompts(const Engine& engine, const std::string& path,
                                               const engine::GenerateRequest& defaults) {
  std::vector<BatchRequest> requests;
  const auto read = [&](const Json& line) -> Result<void> {
    BatchRequest request{{}, defaults};
    CHECK_OK(read_settings(line, request.request));
    TRY(request.prompt, encode(engine, line));
    if (request.prompt.empty()) return fail("the prompt is empty");
    requests.push_back(std::move(request));
    return {};
  };
  CHECK_OK(each_line(path, read));
  return requests;
}

}  // namespace orrery::apps
