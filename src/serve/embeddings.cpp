// POST /v1/embeddings and /api/embed: a text as one vector.
//
// The vector is what the output matrix would read (the residual after the final norm), of the last
// token or as the mean of all, scaled to length 1. A model that was trained to chat gives vectors
// that are good for little but a start; one that was trained for embeddings says which pooling.
#include <bit>
#include <cmath>
#include <mutex>

#include "serve/endpoints.h"

namespace orrery::serve {
namespace {

constexpr u64 kInputsMax = 128;

// Bytes in base64 (RFC 4648).
std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (u64 i = 0; i < bytes.size(); i += 3) {
    const u64 count = std::min<u64>(3, bytes.size() - i);
    u32 group = 0;
    for (u64 k = 0; k < 3; ++k) group = group << 8 | (k < count ? u8(bytes[i + k]) : 0u);
    for (u64 k = 0; k < 4; ++k) out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

static_assert(std::endian::native == std::endian::little, "base64 holds little-endian floats");

Json vector_json(const std::vector<f32>& vector, bool in_base64) {
  if (!in_base64) return vector;
  return base64({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(f32)});
}

struct Job {
  std::vector<std::vector<text::TokenId>> prompts;
  bool mean = false, in_base64 = false, is_ollama = false;
  std::string owner;
  std::vector<std::string> warnings;
};

// All inputs of a request; answers when the last has been read.
class Embedding : public std::enable_shared_from_this<Embedding> {
 public:
  Embedding(Context& context, Job job, Answering exchange)
      : context_(context), job_(std::move(job)), exchange_(std::move(exchange)) {}

  Checked<void> start() {
    vectors_.resize(job_.prompts.size());
    std::vector<engine::Ticket> tickets;
    for (u32 i = 0; i < job_.prompts.size(); ++i) {
      engine::Submission one;
      one.prompt = job_.prompts[i];
      one.prompt_only = one.hidden = true;
      one.owner = job_.owner;
      vectors_[i].resize(context_.host.engine.model().spec.dim);
      auto admitted = context_.host.scheduler.submit(std::move(one),
                                                     std::make_shared<Ear>(shared_from_this(), i));
      if (!admitted) {
        over_ = true;
        for (const engine::Ticket ticket : tickets) context_.host.scheduler.cancel(ticket);
        const bool full = admitted.error().kind == engine::Refusal::Kind::kQueueFull;
        return refuse(full ? 429 : 503, admitted.error().error.message);
      }
      tickets.push_back(admitted->ticket);
    }
    exchange_->on_gone([&scheduler = context_.host.scheduler, tickets] {
      for (const engine::Ticket ticket : tickets) scheduler.cancel(ticket);
    });
    return {};
  }

 private:
  class Ear final : public engine::Listener {
   public:
    Ear(std::shared_ptr<Embedding> embedding, u32 index)
        : embedding_(std::move(embedding)), index_(index) {}
    void on_hidden(u32, std::span<const f32> state) override {
      std::vector<f32>& vector = embedding_->vectors_[index_];  // the scheduler's thread alone
      for (u64 i = 0; i < state.size(); ++i)
        vector[i] = embedding_->job_.mean ? vector[i] + state[i] : state[i];
    }
    void on_token(const engine::TokenEvent&) override {}
    void on_end(const engine::Outcome& outcome) override {
      embedding_->exchange_->post([e = embedding_, outcome] { e->end(outcome); });
    }

   private:
    std::shared_ptr<Embedding> embedding_;
    u32 index_;
  };

  void end(const engine::Outcome& outcome) {
    if (over_) return;
    context_.metrics.count(outcome);
    const Style style = job_.is_ollama ? Style::kOllama : Style::kOpenAi;
    const bool failed = outcome.finish == engine::Finish::kError;
    if (failed || outcome.finish == engine::Finish::kCancelled) {
      over_ = true;
      const std::string why =
          outcome.error ? outcome.error->message : "the server is shutting down";
      return exchange_->respond(error_response(style, ApiError(failed ? 500 : 503, why)));
    }
    tokens_ += outcome.usage.prompt;
    seconds_ += outcome.timings.queue + outcome.timings.prefill;
    if (++ended_ == vectors_.size()) respond(exchange_, answer(), job_.warnings);
  }

  Json answer() {
    for (std::vector<f32>& vector : vectors_) {
      f64 squares = 0;
      for (const f32 one : vector) squares += f64(one) * one;
      const f64 scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
      for (f32& one : vector) one = f32(one * scale);
    }
    if (job_.is_ollama)
      return {{"model", context_.host.id},
              {"embeddings", vectors_},
              {"total_duration", u64(seconds_ * 1e9)},
              {"load_duration", 0},
              {"prompt_eval_count", tokens_}};
    Json data = Json::array();
    for (u64 i = 0; i < vectors_.size(); ++i)
      data.push_back({{"object", "embedding"},
                      {"index", i},
                      {"embedding", vector_json(vectors_[i], job_.in_base64)}});
    return {{"object", "list"},
            {"data", data},
            {"model", context_.host.id},
            {"pooling", job_.mean ? "mean" : "last"},
            {"usage", {{"prompt_tokens", tokens_}, {"total_tokens", tokens_}}}};
  }

  Context& context_;
  Job job_;
  Answering exchange_;
  std::vector<std::vector<f32>> vectors_;  // [inputs][dim]
  u64 ended_ = 0, tokens_ = 0;
  f64 seconds_ = 0;
  std::atomic<bool> over_ = false;
};

Checked<std::vector<std::vector<text::TokenId>>> read_inputs(const ModelHost& host,
                                                             const Json& input) {
  Json all = input;
  if (input.is_string() || (input.is_array() && input[0].is_number())) all = Json::array({input});
  if (all.size() > kInputsMax)
    return refuse(400,
                  fmt::format("'input' holds {} texts; {} are allowed", all.size(), kInputsMax),
                  "input", "invalid_value");
  ASK(const text::Tokenizer* tokenizer, host.tokenizer());
  Ask checked;
  for (const Json& one : all) {
    std::vector<text::TokenId> ids;
    if (one.is_string())
      ids = tokenizer->encode(one.get<std::string>(), text::Special::kText, true);
    for (const Json& id : one.is_array() ? one : Json::array()) {
      const f64 number = id.is_number() ? id.get<f64>() : -1;
      ids.push_back(number >= 0 && number < (1 << 30) ? text::TokenId(number) : -1);
    }
    if (!one.is_string() && !one.is_array())
      return refuse(400, "'input' must hold texts, or token ids, not a mixture", "input",
                    "invalid_value");
    if (ids.empty()) return refuse(400, "a text of 'input' is empty", "input", "invalid_value");
    checked.prompts.push_back(std::move(ids));
  }
  checked.tokens_max = 0;
  ASK_OK(check_fit(host, checked));
  return std::move(checked.prompts);
}

Checked<void> embed(Context& context, const FieldReader& fields, Job job, const Request& request,
                    const Answering& exchange) {
  ASK_OK(context.host.check_name(fields.string("model")));
  const u32 dim = context.host.engine.model().spec.dim;
  if (const auto wanted = fields.integer("dimensions"); wanted && *wanted != dim)
    return refuse(400, fmt::format("'dimensions' can only be {}, the width of this model", dim),
                  "dimensions", "unsupported_value");
  job.owner = request.owner;
  job.mean = fields.string("pooling") == "mean";
  job.in_base64 = fields.string("encoding_format") == "base64";
  ASK(job.prompts, read_inputs(context.host, *fields.find("input")));
  return std::make_shared<Embedding>(context, std::move(job), exchange)->start();
}

}  // namespace

Checked<void> embeddings(Context& context, const Request& request, const Answering& exchange) {
  Job job;
  ASK(const Json body, read_request(request, embedding_fields(), job.warnings));
  return embed(context, FieldReader(body), std::move(job), request, exchange);
}

Checked<void> ollama_embed(Context& context, const Request& request, const Answering& exchange) {
  Job job;
  job.is_ollama = true;
  ASK(const Json body, read_request(request, ollama_embed_fields(), job.warnings));
  return embed(context, FieldReader(body), std::move(job), request, exchange);
}

}  // namespace orrery::serve
