#include "serve/ask.h"

#include <charconv>
#include <random>

#include "engine/conversation.h"
#include "serve/chat_messages.h"

namespace orrery::serve {
namespace {

constexpr u64 kBiasMax = 1024, kStopBytesMax = 1000;

Checked<void> read_bias(const Json& bias, Ask& ask) {
  if (bias.size() > kBiasMax)
    return refuse(400,
                  fmt::format("'logit_bias' has {} entries; {} are allowed", bias.size(), kBiasMax),
                  "logit_bias", "invalid_value");
  for (const auto& [name, value] : bias.items()) {
    i32 id = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc() || end != name.data() + name.size() || id < 0)
      return refuse(400, fmt::format("'logit_bias': '{}' is no token id", name.substr(0, 60)),
                    "logit_bias", "invalid_value");
    const f64 number = value.is_number() ? value.get<f64>() : 1000;
    if (!(number >= -100 && number <= 100))
      return refuse(400, fmt::format("'logit_bias.{}' must be a number from -100 to 100", id),
                    "logit_bias", "invalid_value");
    ask.submission.logit_bias.emplace_back(id, f32(number));
  }
  return {};
}

// As good as greedy already, and too small to divide by.
constexpr f64 kTemperatureMin = 0.001;

void read_temperature(const FieldReader& fields, Ask& ask) {
  f64 temperature = fields.number("temperature").value_or(1);
  if (temperature > 0 && temperature < kTemperatureMin) {
    ask.warnings.push_back(fmt::format("a temperature of {} is taken as 0", temperature));
    temperature = 0;
  }
  ask.submission.generate.sampler.temperature = f32(temperature);
}

}  // namespace

Checked<std::vector<std::string>> read_stops(const Json* stop) {
  std::vector<std::string> stops;
  if (!stop) return stops;
  if (stop->is_string())
    stops.push_back(stop->get<std::string>());
  else
    for (const Json& one : *stop) stops.push_back(one.get<std::string>());
  for (const std::string& one : stops)
    if (one.empty() || one.size() > kStopBytesMax)
      return refuse(
          400,
          fmt::format("a stop text has {} bytes, and must have 1 to {}", one.size(), kStopBytesMax),
          "stop", "invalid_value");
  return stops;
}

Checked<void> read_sampling(const FieldReader& fields, Ask& ask) {
  forward::SamplerSettings& sampler = ask.submission.generate.sampler;
  read_temperature(fields, ask);
  sampler.top_p = f32(fields.number("top_p").value_or(1));
  sampler.top_k = u32(std::max<i64>(0, fields.integer("top_k").value_or(0)));
  sampler.min_p = f32(fields.number("min_p").value_or(0));
  sampler.typical_p = f32(fields.number("typical_p").value_or(1));
  sampler.presence_penalty = f32(fields.number("presence_penalty").value_or(0));
  sampler.frequency_penalty = f32(fields.number("frequency_penalty").value_or(0));
  sampler.repetition_penalty = f32(fields.number("repetition_penalty").value_or(1));
  const auto seed = fields.integer("seed");
  ask.fresh_seed = !seed;
  sampler.seed = seed ? u64(*seed) : u64(std::random_device()()) << 32 | std::random_device()();
  ASK(ask.submission.generate.stops, read_stops(fields.find("stop")));
  if (const Json* bias = fields.find("logit_bias")) ASK_OK(read_bias(*bias, ask));
  ask.submission.generate.ignore_stop_tokens = fields.boolean("ignore_eos");
  ask.submission.why = fields.boolean("why");
  ask.submission.priority = i32(fields.integer("priority").value_or(0));
  ask.submission.deadline_seconds = fields.number("timeout_seconds");
  ask.choices = u32(fields.integer("n").value_or(1));
  ask.stream = fields.boolean("stream");
  if (const Json* options = fields.find("stream_options")) {
    if (!ask.stream)
      return refuse(400, "'stream_options' is for a stream only: 'stream' must be true",
                    "stream_options", "invalid_value");
    ask.include_usage = FieldReader(*options).boolean("include_usage");
  }
  return {};
}

Checked<void> set_chat(const ModelHost& host, const Json& messages, const Json& variables,
                       Ask& ask) {
  Json all = variables;
  const bool with_tools =
      ask.tools.is_array() && !ask.tools.empty() && ask.tool_choice != ToolChoice::kNone;
  ASK(const Json plain, plain_messages(messages));
  Json final_messages = plain;
  if (with_tools) ASK_OK(offer_tools(host.template_source, ask.tools, final_messages, all, ask));
  auto ids = engine::encode_chat(host.engine, final_messages, all, &ask.begins_thinking);
  if (!ids) return refuse(400, ids.error().message, "messages");
  ask.is_chat = true;
  ask.prompts.push_back(std::move(*ids));
  return {};
}

Checked<void> check_fit(const ModelHost& host, Ask& ask) {
  const u64 context = host.engine.context();
  u64 longest = 0;
  for (const auto& prompt : ask.prompts) {
    if (prompt.empty()) return refuse(400, "the prompt has no tokens", "prompt", "invalid_value");
    longest = std::max<u64>(longest, prompt.size());
    for (const text::TokenId id : prompt)
      if (id < 0 || u32(id) >= host.engine.model().spec.vocab)
        return refuse(400,
                      fmt::format("token id {} is outside the vocabulary of {}", id,
                                  host.engine.model().spec.vocab),
                      "prompt", "invalid_value");
  }
  const u64 wanted = ask.tokens_max.value_or(1);
  if (longest + wanted > context)
    return refuse(
        400,
        fmt::format("this does not fit: the prompt has {} tokens, the reply is to have up "
                    "to {}, and the model's maximum context length is {} tokens",
                    longest, wanted, context),
        ask.tokens_max && longest < context ? "max_tokens" : "messages", "context_length_exceeded");
  ask.submission.generate.tokens_max = ask.tokens_max.value_or(0);
  ask.submission.prompt_only = ask.tokens_max == 0u;
  return {};
}

}  // namespace orrery::serve
