// Conversation: a chat with an engine: messages in, a reply out, and what the cache already knows
// kept.
//
// Before each reply the whole conversation is rendered by the model's own template and tokenized
// anew; the tokens that it shares with the cache stay there, only the rest is fed. So whatever a
// template does to old messages (dropping their thinking, for one), the prompt is exactly what a
// fresh start would give.
#pragma once

#include "engine/engine.h"

namespace orrery::engine {

class Conversation {
 public:
  // The engine must outlive it. An error when the model has no tokenizer or no chat template.
  [[nodiscard]] static Result<Conversation> start(Engine& engine);

  // What the model is told to be; counts from the next reply on. Empty: none, the template's own.
  void set_system(std::string text) { system_ = std::move(text); }
  // Further variables of the template ("enable_thinking").
  void set_variable(const std::string& name, text::Json value) {
    variables_[name] = std::move(value);
  }
  void reset() { messages_ = text::Json::array(); }

  // Adds the user's message and the reply to it (also one that was cancelled: it has been seen). On
  // an error the conversation is as it was.
  [[nodiscard]] Result<Reply> say(std::string_view user, const GenerateRequest& request,
                                  const OnToken& on_token);

  // All messages, the system's first: [{"role", "content"}].
  [[nodiscard]] text::Json messages() const;
  // Of the last prompt: how many tokens it had and how many of them were in the cache.
  [[nodiscard]] u32 prompt_tokens() const { return prompt_tokens_; }
  [[nodiscard]] u32 cached_tokens() const { return cached_tokens_; }
  // Whether the last prompt ended inside an open <think>, so that the reply begins with thoughts.
  [[nodiscard]] bool begins_thinking() const { return begins_thinking_; }

 private:
  Conversation(Engine& engine, Sequence sequence)
      : engine_(&engine), sequence_(std::move(sequence)) {}
  [[nodiscard]] Result<std::vector<text::TokenId>> prompt();

  Engine* engine_;
  Sequence sequence_;
  std::string system_;
  text::Json messages_ = text::Json::array();
  text::Json variables_ = text::Json::object();
  u32 prompt_tokens_ = 0, cached_tokens_ = 0;
  bool begins_thinking_ = false;
};

// The prompt of messages by the engine's template: user text can never become a control token.
[[nodiscard]] Result<std::vector<text::TokenId>> encode_chat(const Engine& engine,
                                                             const text::Json& messages,
                                                             const text::Json& variables,
                                                             bool* begins_thinking = nullptr);

}  // namespace orrery::engine
