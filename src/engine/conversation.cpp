#include "engine/conversation.h"

#include <algorithm>

#include "engine/text_loading.h"
#include "text/chat_encoding.h"

namespace orrery::engine {
namespace {

text::Json message(std::string_view role, std::string_view content) {
  return {{"role", std::string(role)}, {"content", std::string(content)}};
}

// Whether the last "<think>" of a prompt has no end after it and nothing but space follows.
bool ends_in_open_thought(std::string_view prompt) {
  const std::size_t open = prompt.rfind("<think>");
  if (open == std::string_view::npos) return false;
  return prompt.substr(open + 7).find_first_not_of(" \n") == std::string_view::npos;
}

}  // namespace

Result<std::vector<text::TokenId>> encode_chat(const Engine& engine, const text::Json& messages,
                                               const text::Json& variables, bool* begins_thinking) {
  const text::Tokenizer* tokenizer = engine.tokenizer();
  if (!tokenizer) return fail("this model has no tokenizer: {}", engine.why_no_tokenizer());
  if (!engine.chat_template())
    return fail("this model cannot chat: {}; continue a text with `orrery generate`",
                engine.why_no_chat_template());
  text::Json all = template_variables(*tokenizer);
  all["messages"] = messages;
  all["tools"] = nullptr;
  all["documents"] = nullptr;
  all["add_generation_prompt"] = true;
  all.update(variables);
  TRY(const std::vector<text::Segment> segments, engine.chat_template()->render_segments(all));
  if (begins_thinking)
    *begins_thinking = !segments.empty() && ends_in_open_thought(segments.back().text);
  return text::encode_segments(*tokenizer, segments);
}

Result<Conversation> Conversation::start(Engine& engine) {
  TRY(Sequence sequence, engine.start());
  Conversation conversation(engine, std::move(sequence));
  // A template that cannot render a plain question is known before the user has typed one.
  CHECK_OK(encode_chat(engine, text::Json::array({message("user", "?")}), text::Json::object()));
  return conversation;
}

text::Json Conversation::messages() const {
  text::Json all = text::Json::array();
  if (!system_.empty()) all.push_back(message("system", system_));
  for (const text::Json& one : messages_) all.push_back(one);
  return all;
}

// The tokens still to feed: what the cache holds of the prompt stays, the rest of the cache goes.
Result<std::vector<text::TokenId>> Conversation::prompt() {
  TRY(std::vector<text::TokenId> ids,
      encode_chat(*engine_, messages(), variables_, &begins_thinking_));
  if (ids.empty()) return fail("the chat template gives an empty prompt");
  if (ids.size() >= engine_->context())
    return fail(
        "the conversation has {} tokens, the context {}: start anew with /reset, or give a "
        "longer --ctx",
        ids.size(), engine_->context());
  const auto& cached = sequence_.tokens();
  const auto parting =
      std::mismatch(ids.begin(), ids.end() - 1, cached.begin(), cached.end()).first;
  prompt_tokens_ = u32(ids.size());
  sequence_.truncate(u32(parting - ids.begin()));
  cached_tokens_ = sequence_.length();
  ids.erase(ids.begin(), ids.begin() + cached_tokens_);
  return ids;
}

Result<Reply> Conversation::say(std::string_view user, const GenerateRequest& request,
                                const OnToken& on_token) {
  messages_.push_back(message("user", user));
  const auto ids = prompt();
  Result<Reply> reply = ids ? engine_->generate(sequence_, *ids, request, on_token)
                            : Result<Reply>(tl::unexpected<Error>(ids.error()));
  if (reply)
    messages_.push_back(message("assistant", reply->text));
  else
    messages_.erase(messages_.size() - 1);
  return reply;
}

}  // namespace orrery::engine
