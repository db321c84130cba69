// Generation: one request's replies on their way from the scheduler to the client.
//
// The scheduler's thread only copies what came and posts it; everything else, also the API's form
// (a Writer), happens on the thread that writes answers. If the client leaves, all its replies are
// cancelled. Each generation is answered exactly once: whole, as a stream, or by an error.
#pragma once

#include <atomic>

#include "serve/ask.h"
#include "serve/metrics.h"
#include "text/reply_parser.h"

namespace orrery::serve {

// One reply so far.
struct Choice {
  u32 prompt_index = 0;
  std::string content, reasoning;
  std::vector<text::ToolCall> calls;
  std::vector<engine::TokenEvent> prompt;  // where the log probabilities of a prompt were asked for
  std::vector<engine::TokenEvent> tokens;  // where log probabilities were asked for
  u32 reasoning_tokens = 0;
  std::optional<engine::Outcome> outcome;

  // In the words of OpenAI's API: "stop", "length", "tool_calls".
  [[nodiscard]] std::string_view finish_reason() const;
};

// What came anew in a choice.
struct Piece {
  std::vector<text::ReplyPart> parts;
  std::vector<engine::TokenEvent> tokens;  // where log probabilities were asked for
};

class Generation;

// How an API writes a reply. Calls come in the order of the functions here.
class Writer {
 public:
  virtual ~Writer() = default;
  [[nodiscard]] virtual Json whole(const Generation& generation) = 0;
  [[nodiscard]] virtual std::string stream_type() const { return "text/event-stream"; }
  [[nodiscard]] virtual std::string begin(const Generation& generation) = 0;
  [[nodiscard]] virtual std::string piece(const Generation& generation, u32 choice,
                                          const Piece& piece) = 0;
  [[nodiscard]] virtual std::string choice_end(const Generation& generation, u32 choice) = 0;
  [[nodiscard]] virtual std::string end(const Generation& generation) = 0;
  // An error after the stream has begun; the stream ends with it.
  [[nodiscard]] virtual std::string failure(const ApiError& error) = 0;
};

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(const ModelHost& host, Metrics& metrics, Ask ask, std::unique_ptr<Writer> writer,
             std::shared_ptr<Exchange> exchange, Style style);

  // Submits everything, or nothing and says why.
  [[nodiscard]] Checked<void> start();

  [[nodiscard]] const ModelHost& host() const { return host_; }
  [[nodiscard]] const Ask& ask() const { return ask_; }
  [[nodiscard]] const std::vector<Choice>& choices() const { return choices_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] i64 created() const { return created_; }
  // Of all choices; a prompt counts once, however many replies it got.
  [[nodiscard]] engine::Usage usage() const;
  [[nodiscard]] u32 reasoning_tokens() const;
  // "timings", and "why" if asked for.
  void add_timings(Json& object) const;

 private:
  class Ear;
  [[nodiscard]] std::string call_mark(text::TokenId id) const;
  void hear(u32 index, engine::TokenEvent event);
  void hear_prompt(u32 index, std::vector<engine::TokenEvent> prompt);
  void hear_end(u32 index, engine::Outcome outcome);
  void tell(u32 index, Piece piece);
  void open_stream();
  void finish();
  [[nodiscard]] std::optional<ApiError> failed() const;
  [[nodiscard]] std::vector<Header> headers() const;

  const ModelHost& host_;
  Metrics& metrics_;
  Ask ask_;
  std::unique_ptr<Writer> writer_;
  std::shared_ptr<Exchange> exchange_;
  Style style_;
  std::string id_;
  i64 created_;
  std::vector<Choice> choices_;
  std::vector<text::ReplyParser> parsers_;  // one a choice, for chats
  u32 ended_ = 0;
  bool open_ = false;
  std::atomic<bool> over_ = false;  // nothing is told any more
};

[[nodiscard]] std::string random_id(std::string_view prefix);
// "data: ...\n\n", with the name of the event where there is one.
[[nodiscard]] std::string sse(const Json& data, std::string_view event = "");

}  // namespace orrery::serve
