#include "serve/generation.h"

#include <algorithm>
#include <atomic>
#include <random>

namespace orrery::serve {
namespace {

using engine::Finish;

Json chunk_json(const engine::ChunkRun& run) {
  return {{"begin", run.begin},
          {"tokens", run.count},
          {"batch_tokens", run.batch_tokens},
          {"batch_requests", run.batch_requests},
          {"ms", run.seconds * 1000}};
}

Json why_json(const engine::Why& why) {
  Json chunks = Json::array();
  for (const auto& run : why.chunks) chunks.push_back(chunk_json(run));
  return {{"parted_at", why.parted_at},
          {"parted_before", why.parted_before},
          {"parted_here", why.parted_here},
          {"parted_cached", why.parted_cached},
          {"chunks", chunks},
          {"chunks_count", why.chunks_count},
          {"preemptions", why.preemptions},
          {"recomputed", why.recomputed}};
}

}  // namespace

std::string random_id(std::string_view prefix) {
  thread_local std::mt19937_64 random{(u64(std::random_device()()) << 32) | std::random_device()()};
  return fmt::format("{}{:016x}{:08x}", prefix, random(), u32(random()));
}

std::string sse(const Json& data, std::string_view event) {
  return event.empty() ? fmt::format("data: {}\n\n", dump(data))
                       : fmt::format("event: {}\ndata: {}\n\n", event, dump(data));
}

std::string_view Choice::finish_reason() const {
  if (!outcome) return "";
  switch (outcome->finish) {
    case Finish::kStopToken:
    case Finish::kStopText:
      return calls.empty() ? "stop" : "tool_calls";
    default:
      return "length";
  }
}

// Hears of one choice, on the scheduler's thread.
class Generation::Ear final : public engine::Listener {
 public:
  Ear(std::shared_ptr<Generation> generation, u32 index)
      : generation_(std::move(generation)), index_(index) {}

  void on_prompt(std::span<const engine::TokenEvent> prompt) override {
    generation_->exchange_->post(
        [g = generation_, i = index_,
         copy = std::vector<engine::TokenEvent>(prompt.begin(), prompt.end())]() mutable {
          g->hear_prompt(i, std::move(copy));
        });
  }
  void on_token(const engine::TokenEvent& event) override {
    generation_->exchange_->post(
        [g = generation_, i = index_, event]() mutable { g->hear(i, std::move(event)); });
  }
  void on_end(const engine::Outcome& outcome) override {
    generation_->exchange_->post(
        [g = generation_, i = index_, outcome]() mutable { g->hear_end(i, std::move(outcome)); });
  }

 private:
  std::shared_ptr<Generation> generation_;
  u32 index_;
};

Generation::Generation(const ModelHost& host, Metrics& metrics, Ask ask,
                       std::unique_ptr<Writer> writer, std::shared_ptr<Exchange> exchange,
                       Style style)
    : host_(host),
      metrics_(metrics),
      ask_(std::move(ask)),
      writer_(std::move(writer)),
      exchange_(std::move(exchange)),
      style_(style),
      id_(random_id("")),
      created_(i64(std::time(nullptr))) {}

Checked<void> Generation::start() {
  const u32 count = u32(ask_.prompts.size()) * ask_.choices;
  choices_.resize(count);
  if (ask_.is_chat) {
    text::ReplySyntax syntax = text::syntax_of_template(host_.template_source);
    syntax.begins_thinking = ask_.begins_thinking;
    syntax.tools = ask_.tools.is_array() && ask_.tool_choice != ToolChoice::kNone;
    parsers_.assign(count, text::ReplyParser(syntax));
  }
  std::vector<engine::Ticket> tickets;
  for (u32 i = 0; i < count; ++i) {
    engine::Submission one = ask_.submission;
    choices_[i].prompt_index = i / ask_.choices;
    one.prompt = ask_.prompts[choices_[i].prompt_index];
    one.generate.sampler.seed += i % ask_.choices;
    auto admitted =
        host_.scheduler.submit(std::move(one), std::make_shared<Ear>(shared_from_this(), i));
    if (!admitted) {
      over_ = true;  // before any event of the others can be heard: they are posted
      for (const engine::Ticket ticket : tickets) host_.scheduler.cancel(ticket);
      const engine::Refusal& why = admitted.error();
      const bool full = why.kind == engine::Refusal::Kind::kQueueFull;
      ApiError error(full                                           ? 429
                     : why.kind == engine::Refusal::Kind::kDraining ? 503
                                                                    : 400,
                     why.error.message);
      if (full) error.retry_seconds = std::max(1u, u32(why.wait_seconds + 0.5));
      return tl::unexpected<ApiError>(std::move(error));
    }
    tickets.push_back(admitted->ticket);
  }
  exchange_->on_gone([&scheduler = host_.scheduler, tickets] {
    for (const engine::Ticket ticket : tickets) scheduler.cancel(ticket);
  });
  return {};
}

std::vector<Header> Generation::headers() const {
  std::vector<Header> headers{{"X-Request-Id", id_}};
  std::string warnings;
  for (const std::string& one : ask_.warnings) warnings += (warnings.empty() ? "" : "; ") + one;
  if (!warnings.empty()) headers.push_back({"X-Orrery-Warnings", one_line(warnings)});
  return headers;
}

void Generation::open_stream() {
  if (open_) return;
  open_ = true;
  Response head{
      .body = writer_->begin(*this), .content_type = writer_->stream_type(), .headers = headers()};
  head.headers.push_back({"Cache-Control", "no-cache"});
  exchange_->open(std::move(head));
}

void Generation::hear_prompt(u32 index, std::vector<engine::TokenEvent> prompt) {
  choices_[index].prompt = std::move(prompt);
}

// The text of a control token that belongs to a call of a tool, which a reply's text leaves out.
std::string Generation::call_mark(text::TokenId id) const {
  const text::Tokenizer* tokenizer = host_.engine.tokenizer();
  if (!ask_.tools.is_array() || !tokenizer || !tokenizer->is_special(id)) return "";
  const std::string_view name = tokenizer->token_name(id);
  return text::is_call_mark(name) ? std::string(name) : "";
}

void Generation::hear(u32 index, engine::TokenEvent event) {
  if (over_) return;
  Piece piece;
  if (ask_.is_chat)
    parsers_[index].push(call_mark(event.id) + event.text, piece.parts);
  else if (!event.text.empty())
    piece.parts.push_back({text::ReplyPart::kContent, 0, event.text});
  if (ask_.is_chat && parsers_[index].is_thinking()) ++choices_[index].reasoning_tokens;
  if (ask_.submission.logprobs) piece.tokens.push_back(std::move(event));
  tell(index, std::move(piece));
}

void Generation::tell(u32 index, Piece piece) {
  Choice& choice = choices_[index];
  for (const text::ReplyPart& part : piece.parts)
    text::add_part(part, choice.content, choice.reasoning, choice.calls);
  choice.tokens.insert(choice.tokens.end(), piece.tokens.begin(), piece.tokens.end());
  if (!ask_.stream || (piece.parts.empty() && piece.tokens.empty())) return;
  open_stream();
  exchange_->write(writer_->piece(*this, index, piece));
}

std::optional<ApiError> Generation::failed() const {
  for (const Choice& choice : choices_) {
    if (!choice.outcome) continue;
    if (choice.outcome->finish == Finish::kError)
      return ApiError(500, choice.outcome->error ? choice.outcome->error->message : "it failed");
    if (choice.outcome->finish == Finish::kCancelled)
      return ApiError(503, "the server is shutting down");
  }
  return std::nullopt;
}

void Generation::hear_end(u32 index, engine::Outcome outcome) {
  if (over_) return;
  metrics_.count(outcome);
  Piece piece;
  if (ask_.is_chat) {
    parsers_[index].push(outcome.rest, piece.parts);
    parsers_[index].finish(piece.parts);
  } else if (!outcome.rest.empty()) {
    piece.parts.push_back({text::ReplyPart::kContent, 0, outcome.rest});
  }
  const bool good = outcome.finish != Finish::kError && outcome.finish != Finish::kCancelled;
  choices_[index].outcome = std::move(outcome);
  tell(index, std::move(piece));
  if (ask_.stream && good) {
    open_stream();
    exchange_->write(writer_->choice_end(*this, index));
  }
  if (++ended_ == choices_.size()) finish();
}

void Generation::finish() {
  over_ = true;
  if (const auto error = failed()) {
    if (!open_) return exchange_->respond(error_response(style_, *error));
    exchange_->write(writer_->failure(*error));
    return exchange_->close();
  }
  if (!ask_.stream)
    return exchange_->respond({.body = dump(writer_->whole(*this)), .headers = headers()});
  exchange_->write(writer_->end(*this));
  exchange_->close();
}

engine::Usage Generation::usage() const {
  engine::Usage total;
  for (u32 i = 0; i < choices_.size(); ++i) {
    if (!choices_[i].outcome) continue;
    const engine::Usage& one = choices_[i].outcome->usage;
    total.completion += one.completion;
    if (i % ask_.choices != 0) continue;
    total.prompt += one.prompt;
    total.cached += one.cached;
  }
  return total;
}

u32 Generation::reasoning_tokens() const {
  u32 total = 0;
  for (const Choice& choice : choices_) total += choice.reasoning_tokens;
  return total;
}

void Generation::add_timings(Json& object) const {
  engine::PhaseTimings t;  // of several replies, the longest of each phase
  for (const Choice& choice : choices_) {
    if (!choice.outcome) continue;
    const engine::PhaseTimings& one = choice.outcome->timings;
    t.queue = std::max(t.queue, one.queue);
    t.prefill = std::max(t.prefill, one.prefill);
    t.decode = std::max(t.decode, one.decode);
    t.mask = std::max(t.mask, one.mask);
    t.decode_gap_max = std::max(t.decode_gap_max, one.decode_gap_max);
  }
  object["timings"] = {
      {"queue_ms", t.queue * 1000},      {"prefill_ms", t.prefill * 1000},
      {"decode_ms", t.decode * 1000},    {"mask_ms", t.mask * 1000},
      {"cached_tokens", usage().cached}, {"decode_gap_max_ms", t.decode_gap_max * 1000}};
  Json why = Json::array();
  for (const Choice& choice : choices_)
    if (choice.outcome && choice.outcome->why) why.push_back(why_json(*choice.outcome->why));
  if (why.size() == 1)
    object["why"] = why[0];
  else if (!why.empty())
    object["why"] = why;
}

}  // namespace orrery::serve
