// The fields of the requests in OpenAI's style.
#include "serve/request_tables.h"

namespace orrery::serve {
namespace {

constexpr f64 kTokensMax = 1 << 30;
constexpr f64 kSeedMax = 9.2233720368547e18;

std::vector<Field> join(std::initializer_list<std::span<const Field>> parts) {
  std::vector<Field> all;
  for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

constexpr Field kStreamOptions[] = {
    {.name = "include_usage", .kinds = kBoolean, .says = "A last piece with the token counts"},
    {.name = "include_obfuscation", .kinds = kBoolean, .use = Use::kNoEffect},
    {.name = "continuous_usage_stats", .kinds = kBoolean, .choices = "false", .use = Use::kOnly},
};

constexpr Field kSampling[] = {
    {.name = "model", .kinds = kString, .says = "A name of /v1/models; without it the one loaded"},
    {.name = "temperature",
     .kinds = kNumber,
     .min = 0,
     .max = 2,
     .says = "0 is greedy; 1 if absent"},
    {.name = "top_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "top_k", .kinds = kInteger, .min = -1, .max = kTokensMax, .says = "0 and -1: all"},
    {.name = "min_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "typical_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "presence_penalty", .kinds = kNumber, .min = -2, .max = 2},
    {.name = "frequency_penalty", .kinds = kNumber, .min = -2, .max = 2},
    {.name = "repetition_penalty", .kinds = kNumber, .min = 0.01, .max = 100},
    {.name = "seed",
     .kinds = kInteger,
     .min = -kSeedMax,
     .max = kSeedMax,
     .says = "The same seed gives the same reply; without it a new one is drawn"},
    {.name = "stop",
     .kinds = kString | kArray,
     .says = "Up to 16 texts that end the reply",
     .item_kinds = kString,
     .count_max = 16},
    {.name = "logit_bias", .kinds = kObject, .says = "Token id to a number from -100 to 100"},
    {.name = "n", .kinds = kInteger, .min = 1, .max = 16, .says = "How many replies"},
    {.name = "stream", .kinds = kBoolean},
    {.name = "stream_options", .kinds = kObject, .items = kStreamOptions},
    {.name = "ignore_eos", .kinds = kBoolean, .says = "Go on when the model has finished"},
    {.name = "skip_special_tokens", .kinds = kBoolean, .choices = "true", .use = Use::kOnly},
    {.name = "why", .kinds = kBoolean, .says = "Tell why it took as long as it did"},
    {.name = "priority", .kinds = kInteger, .min = -100, .max = 100, .says = "Greater comes first"},
    {.name = "timeout_seconds",
     .kinds = kNumber,
     .min = 0.001,
     .max = 86400,
     .says = "End the reply when so much time has passed"},
    {.name = "user", .kinds = kString, .use = Use::kNoEffect},
    {.name = "metadata", .kinds = kObject, .use = Use::kNoEffect},
    {.name = "store", .kinds = kBoolean, .choices = "false", .use = Use::kOnly},
    {.name = "service_tier", .kinds = kString, .use = Use::kNoEffect},
    {.name = "safety_identifier", .kinds = kString, .use = Use::kNoEffect},
    {.name = "prompt_cache_key", .kinds = kString, .use = Use::kNoEffect},
    {.name = "prompt_cache_retention", .kinds = kString, .use = Use::kNoEffect},
};

constexpr Field kFunctionCall[] = {
    {.name = "name", .kinds = kString, .required = true, .count_min = 1},
    {.name = "arguments", .kinds = kString | kObject},
};
constexpr Field kToolCall[] = {
    {.name = "id", .kinds = kString},
    {.name = "type", .kinds = kString, .choices = "function"},
    {.name = "index", .kinds = kInteger, .min = 0, .max = 1000},
    {.name = "function", .kinds = kObject, .required = true, .items = kFunctionCall},
};
constexpr Field kPart[] = {
    {.name = "type", .kinds = kString, .required = true},
    {.name = "text", .kinds = kString},
    {.name = "refusal", .kinds = kString},
    {.name = "image_url", .kinds = kObject | kString},
    {.name = "input_audio", .kinds = kObject},
    {.name = "file", .kinds = kObject},
    {.name = "annotations", .kinds = kArray, .use = Use::kNoEffect},
    {.name = "logprobs", .kinds = kArray, .use = Use::kNoEffect},
    {.name = "cache_control", .kinds = kObject, .use = Use::kNoEffect},
};
constexpr Field kMessage[] = {
    {.name = "role",
     .kinds = kString,
     .choices = "system|developer|user|assistant|tool|function",
     .required = true},
    {.name = "content", .kinds = kString | kArray, .item_kinds = kObject, .items = kPart},
    {.name = "name", .kinds = kString},
    {.name = "tool_call_id", .kinds = kString},
    {.name = "tool_calls",
     .kinds = kArray,
     .item_kinds = kObject,
     .count_max = 256,
     .items = kToolCall},
    {.name = "reasoning_content", .kinds = kString},
    {.name = "reasoning", .kinds = kString},
    {.name = "refusal", .kinds = kString},
    {.name = "annotations", .kinds = kArray, .use = Use::kNoEffect},
    {.name = "audio", .kinds = kNull},
    {.name = "function_call", .kinds = kNull},
};
constexpr Field kFunction[] = {
    {.name = "name", .kinds = kString, .required = true, .count_min = 1},
    {.name = "description", .kinds = kString},
    {.name = "parameters", .kinds = kObject},
    {.name = "strict", .kinds = kBoolean},
};
constexpr Field kTool[] = {
    {.name = "type", .kinds = kString, .choices = "function", .required = true},
    {.name = "function", .kinds = kObject, .required = true, .items = kFunction},
};
constexpr Field kChosenFunction[] = {{.name = "name", .kinds = kString, .required = true}};
constexpr Field kToolChoice[] = {
    {.name = "type", .kinds = kString, .choices = "function", .required = true},
    {.name = "function", .kinds = kObject, .required = true, .items = kChosenFunction},
};
constexpr Field kJsonSchema[] = {
    {.name = "name", .kinds = kString},
    {.name = "description", .kinds = kString},
    {.name = "schema", .kinds = kObject},
    {.name = "strict", .kinds = kBoolean},
};
constexpr Field kResponseFormat[] = {
    {.name = "type",
     .kinds = kString,
     .choices = "text|json_object|json_schema|regex|grammar",
     .required = true},
    {.name = "json_schema", .kinds = kObject, .items = kJsonSchema},
    {.name = "pattern", .kinds = kString},
    {.name = "grammar", .kinds = kString},
};
constexpr Field kChat[] = {
    {.name = "messages",
     .kinds = kArray,
     .required = true,
     .item_kinds = kObject,
     .count_min = 1,
     .count_max = 100'000,
     .items = kMessage},
    {.name = "max_tokens", .kinds = kInteger, .min = 1, .max = kTokensMax},
    {.name = "max_completion_tokens", .kinds = kInteger, .min = 1, .max = kTokensMax},
    {.name = "logprobs", .kinds = kBoolean},
    {.name = "top_logprobs", .kinds = kInteger, .min = 0, .max = kTopLogprobsMax},
    {.name = "tools", .kinds = kArray, .item_kinds = kObject, .count_max = 1000, .items = kTool},
    {.name = "tool_choice",
     .kinds = kString | kObject,
     .choices = "none|auto|required",
     .items = kToolChoice},
    {.name = "parallel_tool_calls", .kinds = kBoolean},
    {.name = "response_format", .kinds = kObject, .items = kResponseFormat},
    {.name = "chat_template_kwargs",
     .kinds = kObject,
     .says = "Further variables of the template, such as enable_thinking"},
    {.name = "reasoning_effort",
     .kinds = kString,
     .says = "Given to the template as the variable of this name"},
    {.name = "modalities", .kinds = kArray, .choices = "[\"text\"]", .use = Use::kOnly},
    {.name = "functions", .kinds = kNull},
    {.name = "function_call", .kinds = kNull},
    {.name = "audio", .kinds = kNull},
    {.name = "prediction", .kinds = kObject, .use = Use::kNoEffect},
    {.name = "verbosity", .kinds = kString, .choices = "medium", .use = Use::kOnly},
};

constexpr Field kCompletion[] = {
    {.name = "prompt",
     .kinds = kString | kArray,
     .says = "A text, token ids, or an array of either",
     .required = true,
     .item_kinds = kString | kInteger | kArray,
     .count_min = 1},
    {.name = "max_tokens", .kinds = kInteger, .min = 0, .max = kTokensMax, .says = "16 if absent"},
    {.name = "logprobs", .kinds = kInteger, .min = 0, .max = kTopLogprobsMax},
    {.name = "echo", .kinds = kBoolean},
    {.name = "best_of", .kinds = kInteger, .choices = "1", .use = Use::kOnly},
    {.name = "suffix", .kinds = kString, .choices = "", .use = Use::kOnly},
};

constexpr Field kReasoning[] = {
    {.name = "effort", .kinds = kString},
    {.name = "summary", .kinds = kString, .use = Use::kNoEffect},
    {.name = "generate_summary", .kinds = kString, .use = Use::kNoEffect},
};
constexpr Field kTextFormat[] = {
    {.name = "type",
     .kinds = kString,
     .choices = "text|json_object|json_schema|regex|grammar",
     .required = true},
    {.name = "name", .kinds = kString},
    {.name = "description", .kinds = kString},
    {.name = "schema", .kinds = kObject},
    {.name = "strict", .kinds = kBoolean},
    {.name = "pattern", .kinds = kString},
    {.name = "grammar", .kinds = kString},
};
constexpr Field kText[] = {
    {.name = "format", .kinds = kObject, .items = kTextFormat},
    {.name = "verbosity", .kinds = kString, .choices = "medium", .use = Use::kOnly},
};
constexpr Field kResponse[] = {
    {.name = "model", .kinds = kString},
    {.name = "input",
     .kinds = kString | kArray,
     .required = true,
     .item_kinds = kObject,
     .count_min = 1},
    {.name = "instructions", .kinds = kString},
    {.name = "max_output_tokens", .kinds = kInteger, .min = 1, .max = kTokensMax},
    {.name = "temperature", .kinds = kNumber, .min = 0, .max = 2},
    {.name = "top_p", .kinds = kNumber, .min = 0, .max = 1},
    {.name = "seed", .kinds = kInteger, .min = -kSeedMax, .max = kSeedMax},
    {.name = "top_logprobs", .kinds = kInteger, .min = 0, .max = 0.5},
    {.name = "stream", .kinds = kBoolean},
    {.name = "stream_options", .kinds = kObject, .items = kStreamOptions},
    {.name = "text", .kinds = kObject, .items = kText},
    {.name = "tools", .kinds = kArray, .item_kinds = kObject, .count_max = 1000},
    {.name = "tool_choice", .kinds = kString | kObject, .choices = "none|auto|required"},
    {.name = "parallel_tool_calls", .kinds = kBoolean},
    {.name = "reasoning", .kinds = kObject, .items = kReasoning},
    {.name = "truncation", .kinds = kString, .choices = "disabled", .use = Use::kOnly},
    {.name = "previous_response_id", .kinds = kNull},
    {.name = "conversation", .kinds = kNull},
    {.name = "prompt", .kinds = kNull},
    {.name = "background", .kinds = kBoolean, .choices = "false", .use = Use::kOnly},
    {.name = "max_tool_calls", .kinds = kInteger, .min = 1, .max = 1000, .use = Use::kNoEffect},
    {.name = "include", .kinds = kArray, .use = Use::kNoEffect},
    {.name = "store", .kinds = kBoolean, .use = Use::kNoEffect},
    {.name = "metadata", .kinds = kObject, .use = Use::kNoEffect},
    {.name = "user", .kinds = kString, .use = Use::kNoEffect},
    {.name = "service_tier", .kinds = kString, .use = Use::kNoEffect},
    {.name = "safety_identifier", .kinds = kString, .use = Use::kNoEffect},
    {.name = "prompt_cache_key", .kinds = kString, .use = Use::kNoEffect},
    {.name = "why", .kinds = kBoolean},
};

constexpr Field kEmbedding[] = {
    {.name = "model", .kinds = kString},
    {.name = "input",
     .kinds = kString | kArray,
     .required = true,
     .item_kinds = kString | kInteger | kArray,
     .count_min = 1,
     .count_max = 1 << 20},
    {.name = "encoding_format", .kinds = kString, .choices = "float|base64"},
    {.name = "dimensions", .kinds = kInteger, .min = 1, .max = 1 << 20},
    {.name = "pooling",
     .kinds = kString,
     .choices = "last|mean",
     .says = "The last token's vector (if absent) or the mean of all"},
    {.name = "user", .kinds = kString, .use = Use::kNoEffect},
};

constexpr Field kTokenize[] = {
    {.name = "model", .kinds = kString},
    {.name = "prompt", .kinds = kString},
    {.name = "content", .kinds = kString, .says = "Another name of prompt"},
    {.name = "messages", .kinds = kArray, .item_kinds = kObject, .count_min = 1, .items = kMessage},
    {.name = "add_special_tokens", .kinds = kBoolean, .says = "true if absent"},
    {.name = "with_pieces", .kinds = kBoolean},
    {.name = "return_token_strs", .kinds = kBoolean},
};
constexpr Field kDetokenize[] = {
    {.name = "model", .kinds = kString},
    {.name = "tokens", .kinds = kArray, .required = true, .item_kinds = kInteger},
};

}  // namespace

Table chat_fields() {
  static const std::vector<Field> all = join({kSampling, kChat});
  return all;
}
Table completion_fields() {
  static const std::vector<Field> all = join({kSampling, kCompletion});
  return all;
}
Table response_fields() { return kResponse; }
Table embedding_fields() { return kEmbedding; }
Table tokenize_fields() { return kTokenize; }
Table detokenize_fields() { return kDetokenize; }

}  // namespace orrery::serve
