// The fields of the requests in Anthropic's and in Ollama's style.
#include "serve/request_tables.h"

namespace orrery::serve {
namespace {

constexpr f64 kTokensMax = 1 << 30;
constexpr f64 kSeedMax = 9.2233720368547e18;

constexpr Field kBlock[] = {
    {.name = "type", .kinds = kString, .required = true},
    {.name = "text", .kinds = kString},
    {.name = "id", .kinds = kString},
    {.name = "name", .kinds = kString},
    {.name = "input", .kinds = kObject},
    {.name = "tool_use_id", .kinds = kString},
    {.name = "content", .kinds = kString | kArray, .item_kinds = kObject},
    {.name = "is_error", .kinds = kBoolean},
    {.name = "thinking", .kinds = kString},
    {.name = "signature", .kinds = kString, .use = Use::kNoEffect},
    {.name = "source", .kinds = kObject},
    {.name = "cache_control", .kinds = kObject, .use = Use::kNoEffect},
    {.name = "citations", .kinds = kArray, .use = Use::kNoEffect},
    {.name = "caller", .kinds = kObject, .use = Use::kNoEffect},
};
constexpr Field kMessage[] = {
    {.name = "role", .kinds = kString, .choices = "user|assistant", .required = true},
    {.name = "content",
     .kinds = kString | kArray,
     .required = true,
     .item_kinds = kObject,
     .items = kBlock},
};
constexpr Field kTool[] = {
    {.name = "name", .kinds = kString, .required = true, .count_min = 1},
    {.name = "type", .kinds = kString, .choices = "custom", .use = Use::kOnly},
    {.name = "description", .kinds = kString},
    {.name = "input_schema", .kinds = kObject, .required = true},
    {.name = "strict", .kinds = kBoolean},
    {.name = "cache_control", .kinds = kObject, .use = Use::kNoEffect},
};
constexpr Field kToolChoice[] = {
    {.name = "type", .kinds = kString, .choices = "auto|any|tool|none", .required = true},
    {.name = "name", .kinds = kString},
    {.name = "disable_parallel_tool_use", .kinds = kBoolean},
};
constexpr Field kThinking[] = {
    {.name = "type", .kinds = kString, .choices = "enabled|disabled|adaptive", .required = true},
    {.name = "budget_tokens", .kinds = kInteger, .min = 1, .max = kTokensMax},
    {.name = "display", .kinds = kString, .use = Use::kNoEffect},
};
constexpr Field kOutputConfig[] = {
    {.name = "format", .kinds = kObject},
    {.name = "effort", .kinds = kString, .choices = "low|medium|high|max|xhigh"},
};
constexpr Field kMessages[] = {
    {.name = "model", .kinds = kString, .required = true},
    {.name = "max_tokens", .kinds = kInteger, .min = 1, .max = kTokensMax, .required = true},
    {.name = "messages",
     .kinds = kArray,
     .required = true,
     .item_kinds = kObject,
     .count_min = 1,
     .count_max = 100'000,
     .items = kMessage},
    {.name = "system", .kinds = kString | kArray, .item_kinds = kObject, .items = kBlock},
    {.name = "temperature", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "top_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "top_k", .kinds = kInteger, .min = 0, .max = kTokensMax},
    {.name = "stop_sequences", .kinds = kArray, .item_kinds = kString, .count_max = 16},
    {.name = "stream", .kinds = kBoolean},
    {.name = "tools", .kinds = kArray, .item_kinds = kObject, .count_max = 1000, .items = kTool},
    {.name = "tool_choice", .kinds = kObject, .items = kToolChoice},
    {.name = "thinking", .kinds = kObject, .items = kThinking},
    {.name = "output_config", .kinds = kObject, .items = kOutputConfig},
    {.name = "metadata", .kinds = kObject, .use = Use::kNoEffect},
    {.name = "service_tier", .kinds = kString, .use = Use::kNoEffect},
    {.name = "cache_control", .kinds = kObject, .use = Use::kNoEffect},
    {.name = "why", .kinds = kBoolean},
};

constexpr Field kOptions[] = {
    {.name = "temperature", .kinds = kNumber, .min = 0, .max = 100},
    {.name = "top_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "top_k", .kinds = kInteger, .min = 0, .max = kTokensMax},
    {.name = "min_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "typical_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "seed", .kinds = kInteger, .min = -kSeedMax, .max = kSeedMax},
    {.name = "num_predict",
     .kinds = kInteger,
     .min = -2,
     .max = kTokensMax,
     .says = "-1 and -2: until the context is full"},
    {.name = "stop", .kinds = kString | kArray, .item_kinds = kString, .count_max = 16},
    {.name = "repeat_penalty", .kinds = kNumber, .min = 0.01, .max = 100},
    {.name = "repeat_last_n",
     .kinds = kInteger,
     .min = -1,
     .max = kTokensMax,
     .says = "Tokens that the penalties look at; -1: all"},
    {.name = "presence_penalty", .kinds = kNumber, .min = -2, .max = 2},
    {.name = "frequency_penalty", .kinds = kNumber, .min = -2, .max = 2},
    {.name = "num_ctx",
     .kinds = kInteger,
     .min = 1,
     .max = kTokensMax,
     .says = "At most the server's context; a longer one is refused"},
    {.name = "num_thread", .kinds = kInteger, .min = 0, .max = 4096, .use = Use::kNoEffect},
    {.name = "num_gpu", .kinds = kInteger, .min = -1, .max = 4096, .use = Use::kNoEffect},
    {.name = "num_batch", .kinds = kInteger, .min = 1, .max = kTokensMax, .use = Use::kNoEffect},
    {.name = "use_mmap", .kinds = kBoolean, .use = Use::kNoEffect},
    {.name = "numa", .kinds = kBoolean, .use = Use::kNoEffect},
};
constexpr Field kFunction[] = {
    {.name = "name", .kinds = kString, .required = true, .count_min = 1},
    {.name = "description", .kinds = kString},
    {.name = "parameters", .kinds = kObject},
};
constexpr Field kOllamaTool[] = {
    {.name = "type", .kinds = kString, .choices = "function"},
    {.name = "function", .kinds = kObject, .required = true, .items = kFunction},
};
constexpr Field kOllamaMessage[] = {
    {.name = "role", .kinds = kString, .choices = "system|user|assistant|tool", .required = true},
    {.name = "content", .kinds = kString},
    {.name = "thinking", .kinds = kString},
    {.name = "images", .kinds = kArray},
    {.name = "tool_calls", .kinds = kArray, .item_kinds = kObject, .count_max = 256},
    {.name = "tool_name", .kinds = kString},
    {.name = "tool_call_id", .kinds = kString},
};
constexpr Field kOllamaChat[] = {
    {.name = "model", .kinds = kString, .required = true},
    {.name = "messages",
     .kinds = kArray,
     .required = true,
     .item_kinds = kObject,
     .count_min = 1,
     .items = kOllamaMessage},
    {.name = "tools",
     .kinds = kArray,
     .item_kinds = kObject,
     .count_max = 1000,
     .items = kOllamaTool},
    {.name = "stream", .kinds = kBoolean, .says = "true if absent"},
    {.name = "think", .kinds = kBoolean | kString},
    {.name = "format", .kinds = kString | kObject},
    {.name = "options", .kinds = kObject, .items = kOptions},
    {.name = "keep_alive", .kinds = kString | kNumber, .use = Use::kNoEffect},
    {.name = "logprobs", .kinds = kBoolean, .choices = "false", .use = Use::kOnly},
    {.name = "top_logprobs", .kinds = kInteger, .choices = "0", .use = Use::kOnly},
};
constexpr Field kOllamaGenerate[] = {
    {.name = "model", .kinds = kString, .required = true},
    {.name = "prompt", .kinds = kString},
    {.name = "system", .kinds = kString},
    {.name = "suffix", .kinds = kString, .choices = "", .use = Use::kOnly},
    {.name = "images", .kinds = kArray, .choices = "[]", .use = Use::kOnly},
    {.name = "raw", .kinds = kBoolean, .says = "The prompt without the model's template"},
    {.name = "template", .kinds = kString, .choices = "", .use = Use::kOnly},
    {.name = "context", .kinds = kArray, .choices = "[]", .use = Use::kOnly},
    {.name = "stream", .kinds = kBoolean, .says = "true if absent"},
    {.name = "think", .kinds = kBoolean | kString},
    {.name = "format", .kinds = kString | kObject},
    {.name = "options", .kinds = kObject, .items = kOptions},
    {.name = "keep_alive", .kinds = kString | kNumber, .use = Use::kNoEffect},
    {.name = "logprobs", .kinds = kBoolean, .choices = "false", .use = Use::kOnly},
    {.name = "top_logprobs", .kinds = kInteger, .choices = "0", .use = Use::kOnly},
};
constexpr Field kOllamaEmbed[] = {
    {.name = "model", .kinds = kString, .required = true},
    {.name = "input",
     .kinds = kString | kArray,
     .required = true,
     .item_kinds = kString,
     .count_min = 1,
     .count_max = 128},
    {.name = "pooling", .kinds = kString, .choices = "last|mean"},
    {.name = "truncate", .kinds = kBoolean, .choices = "false", .use = Use::kOnly},
    {.name = "dimensions", .kinds = kInteger, .min = 1, .max = 1 << 20},
    {.name = "options", .kinds = kObject, .items = kOptions},
    {.name = "keep_alive", .kinds = kString | kNumber, .use = Use::kNoEffect},
};
constexpr Field kOllamaShow[] = {
    {.name = "model", .kinds = kString},
    {.name = "name", .kinds = kString},
    {.name = "verbose", .kinds = kBoolean, .use = Use::kNoEffect},
};

}  // namespace

Table message_fields() { return kMessages; }
Table count_fields() {
  static const std::vector<Field> all = [] {
    std::vector<Field> fields(std::begin(kMessages), std::end(kMessages));
    for (Field& field : fields)
      if (field.name == "max_tokens") field.required = false;
    return fields;
  }();
  return all;
}
Table ollama_chat_fields() { return kOllamaChat; }
Table ollama_generate_fields() { return kOllamaGenerate; }
Table ollama_embed_fields() { return kOllamaEmbed; }
Table ollama_show_fields() { return kOllamaShow; }

}  // namespace orrery::serve
