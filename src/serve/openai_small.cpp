// GET /v1/models, POST /tokenize and /detokenize: what needs no pass of the model.
#include "serve/endpoints.h"

namespace orrery::serve {

Checked<void> models(Context& context, const Request& request, const Answering& exchange) {
  const ModelHost& host = context.host;
  const auto one = [&](const std::string& id) {
    return Json{{"id", id},
                {"object", "model"},
                {"created", host.created},
                {"owned_by", "orrery"},
                {"max_model_len", host.engine.context()}};
  };
  constexpr std::string_view kPath = "/v1/models/";
  if (request.path.starts_with(kPath)) {
    const std::string name = request.path.substr(kPath.size());
    ASK_OK(host.check_name(name));
    respond(exchange, one(name.empty() ? host.id : name));
    return {};
  }
  Json all = Json::array({one(host.id)});
  for (const std::string& alias : host.aliases) all.push_back(one(alias));
  respond(exchange, {{"object", "list"}, {"data", all}});
  return {};
}

Checked<void> tokenize(Context& context, const Request& request, const Answering& exchange) {
  Ask ask;
  ASK(const Json body, read_request(request, tokenize_fields(), ask.warnings));
  const FieldReader fields(body);
  ASK_OK(context.host.check_name(fields.string("model")));
  ASK(const text::Tokenizer* tokenizer, context.host.tokenizer());
  const Json* text = fields.find("prompt") ? fields.find("prompt") : fields.find("content");
  if ((text != nullptr) == (fields.find("messages") != nullptr))
    return refuse(400, "give 'prompt' or 'messages'", "prompt", "missing_required_parameter");
  if (text)
    ask.prompts.push_back(tokenizer->encode(text->get<std::string>(), text::Special::kParse,
                                            fields.boolean("add_special_tokens", true)));
  else
    ASK_OK(set_chat(context.host, body["messages"], Json::object(), ask));
  Json answer = {{"count", ask.prompts[0].size()},
                 {"max_model_len", context.host.engine.context()},
                 {"tokens", ask.prompts[0]}};
  if (fields.boolean("with_pieces") || fields.boolean("return_token_strs")) {
    answer["token_strs"] = Json::array();
    for (const text::TokenId id : ask.prompts[0])
      answer["token_strs"].push_back(token_text(context.host, id));
  }
  respond(exchange, answer, ask.warnings);
  return {};
}

Checked<void> detokenize(Context& context, const Request& request, const Answering& exchange) {
  std::vector<std::string> warnings;
  ASK(const Json body, read_request(request, detokenize_fields(), warnings));
  ASK_OK(context.host.check_name(FieldReader(body).string("model")));
  ASK(const text::Tokenizer* tokenizer, context.host.tokenizer());
  std::vector<text::TokenId> ids;
  for (const Json& one : body["tokens"]) {
    const f64 id = one.get<f64>();
    if (!(id >= 0 && id < tokenizer->vocab_size()))
      return refuse(
          400,
          fmt::format("token id {} is outside the vocabulary of {}", id, tokenizer->vocab_size()),
          "tokens", "invalid_value");
    ids.push_back(text::TokenId(id));
  }
  const std::string text = tokenizer->decode(ids, true);
  respond(exchange, {{"prompt", text}, {"content", text}}, warnings);
  return {};
}

}  // namespace orrery::serve
