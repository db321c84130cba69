// POST /v1/completions
#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

// One choice's tokens in the old form: parallel lists.
class LogprobLists {
 public:
  explicit LogprobLists(const ModelHost& host, u64 offset = 0) : host_(host), offset_(offset) {}
  void add(const engine::TokenEvent& event) {
    const std::string token = token_text(host_, event.id);
    tokens_.push_back(token);
    logprobs_.push_back(event.logprob ? Json(*event.logprob) : Json(nullptr));
    Json best = event.logprob ? Json::object() : Json(nullptr);
    for (const engine::TopLogprob& one : event.best) best[token_text(host_, one.id)] = one.logprob;
    best_.push_back(std::move(best));
    offsets_.push_back(offset_);
    offset_ += token.size();
  }
  [[nodiscard]] Json json() const {
    if (tokens_.empty()) return nullptr;
    return {{"tokens", tokens_},
            {"token_logprobs", logprobs_},
            {"top_logprobs", best_},
            {"text_offset", offsets_}};
  }
  [[nodiscard]] u64 offset() const { return offset_; }

 private:
  const ModelHost& host_;
  u64 offset_;
  Json tokens_ = Json::array(), logprobs_ = Json::array(), best_ = Json::array(),
       offsets_ = Json::array();
};

class CompletionWriter final : public Writer {
 public:
  explicit CompletionWriter(std::vector<std::string> echoes) : echoes_(std::move(echoes)) {}

  Json whole(const Generation& g) override {
    Json choices = Json::array();
    for (u32 i = 0; i < g.choices().size(); ++i) {
      const Choice& choice = g.choices()[i];
      LogprobLists lists(g.host());
      for (const auto* events : {&choice.prompt, &choice.tokens})
        for (const engine::TokenEvent& event : *events) lists.add(event);
      choices.push_back({{"index", i},
                         {"text", echo(g, choice) + choice.content},
                         {"logprobs", lists.json()},
                         {"finish_reason", choice.finish_reason()}});
    }
    Json json = head(g);
    json["choices"] = choices;
    json["usage"] = usage_json(g);
    g.add_timings(json);
    return json;
  }

  std::string begin(const Generation& g) override {
    std::string out;
    offsets_.resize(g.choices().size());
    for (u32 i = 0; i < g.choices().size() && g.ask().echo; ++i) {
      LogprobLists lists(g.host());
      for (const engine::TokenEvent& event : g.choices()[i].prompt) lists.add(event);
      offsets_[i] = lists.offset();
      out += chunk(g, i, echo(g, g.choices()[i]), lists.json(), nullptr);
    }
    return out;
  }

  std::string piece(const Generation& g, u32 index, const Piece& piece) override {
    LogprobLists lists(g.host(), offsets_[index]);
    for (const engine::TokenEvent& event : piece.tokens) lists.add(event);
    offsets_[index] = lists.offset();
    std::string text;
    for (const text::ReplyPart& part : piece.parts) text += part.text;
    return chunk(g, index, text, lists.json(), nullptr);
  }

  std::string choice_end(const Generation& g, u32 index) override {
    return chunk(g, index, "", nullptr, g.choices()[index].finish_reason());
  }

  std::string end(const Generation& g) override {
    std::string out;
    if (g.ask().include_usage) {
      Json json = head(g);
      json["choices"] = Json::array();
      json["usage"] = usage_json(g);
      g.add_timings(json);
      out += sse(json);
    }
    return out + "data: [DONE]\n\n";
  }

  std::string failure(const ApiError& error) override {
    return sse(error_json(Style::kOpenAi, error)) + "data: [DONE]\n\n";
  }

 private:
  static Json head(const Generation& g) {
    return {{"id", "cmpl-" + g.id()},
            {"object", "text_completion"},
            {"created", g.created()},
            {"model", g.host().id}};
  }
  std::string echo(const Generation& g, const Choice& choice) const {
    return g.ask().echo ? echoes_[choice.prompt_index] : std::string();
  }
  static std::string chunk(const Generation& g, u32 index, const std::string& text, Json logprobs,
                           Json finish) {
    Json json = head(g);
    json["choices"] = Json::array({{{"index", index},
                                    {"text", text},
                                    {"logprobs", std::move(logprobs)},
                                    {"finish_reason", std::move(finish)}}});
    if (g.ask().include_usage) json["usage"] = nullptr;
    return sse(json);
  }

  std::vector<std::string> echoes_;  // the text of each prompt
  std::vector<u64> offsets_;         // of each choice's next token
};

bool all_of_kind(const Json& array, bool (Json::*is)() const noexcept) {
  return std::all_of(array.begin(), array.end(), [&](const Json& one) { return (one.*is)(); });
}

Checked<std::vector<text::TokenId>> read_ids(const Json& array) {
  std::vector<text::TokenId> ids;
  for (const Json& one : array) {
    const f64 number = one.is_number() ? one.get<f64>() : -1;
    if (!(number >= 0 && number < (1 << 30)))
      return refuse(400, "'prompt': a token id must be an integer that is not negative", "prompt",
                    "invalid_value");
    ids.push_back(text::TokenId(number));
  }
  return ids;
}

constexpr u64 kPromptsMax = 128;

// A text, ids, or an array of either.
Checked<void> read_prompts(const ModelHost& host, const Json& prompt, Ask& ask,
                           std::vector<std::string>& echoes) {
  Json all = prompt;
  if (prompt.is_string() || all_of_kind(prompt, &Json::is_number)) all = Json::array({prompt});
  if (!all_of_kind(all, &Json::is_string) && !all_of_kind(all, &Json::is_array))
    return refuse(400, "'prompt' must hold texts, or token ids, not a mixture", "prompt",
                  "invalid_value");
  if (all.size() > kPromptsMax)
    return refuse(400,
                  fmt::format("'prompt' holds {} prompts; {} are allowed", all.size(), kPromptsMax),
                  "prompt", "invalid_value");
  ASK(const text::Tokenizer* tokenizer, host.tokenizer());
  for (const Json& one : all) {
    if (one.is_string()) {
      const std::string text = one.get<std::string>();
      ask.prompts.push_back(tokenizer->encode(text, text::Special::kParse, true));
      echoes.push_back(text);
    } else {
      ASK(auto ids, read_ids(one));
      echoes.push_back(tokenizer->decode(ids, false));
      ask.prompts.push_back(std::move(ids));
    }
  }
  return {};
}

constexpr u32 kTokensDefault = 16;  // as OpenAI's API has it

}  // namespace

Checked<void> completions(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK(const Json body, read_request(request, completion_fields(), ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ask.submission.owner = request.owner;
  ASK_OK(read_sampling(fields, ask));
  ask.tokens_max = u32(fields.integer("max_tokens").value_or(kTokensDefault));
  ask.echo = fields.boolean("echo");
  if (const auto logprobs = fields.integer("logprobs")) ask.submission.logprobs = u32(*logprobs);
  if (ask.echo) ask.submission.prompt_logprobs = ask.submission.logprobs;
  std::vector<std::string> echoes;
  ASK_OK(read_prompts(context.host, body["prompt"], ask, echoes));
  return generate(context, std::move(ask), std::make_unique<CompletionWriter>(std::move(echoes)),
                  exchange, Style::kOpenAi);
}

}  // namespace orrery::serve
