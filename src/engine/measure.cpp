#include "engine/measure.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "plan/memory.h"

namespace orrery::engine {
namespace {

using Clock = std::chrono::steady_clock;
using text::TokenId;

constexpr u32 kWarmUpTokens = 8;  // enough to touch every weight and wake every thread

std::vector<TokenId> random_ids(u32 count, u32 vocab) {
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): the same work every time
  std::uniform_int_distribution<TokenId> id(0, TokenId(vocab) - 1);
  std::vector<TokenId> ids(count);
  for (TokenId& one : ids) one = id(random);
  return ids;
}

Result<void> ignore(u32, std::span<const f32>) { return {}; }

}  // namespace

std::string Measurement::name() const {
  const auto& o = options;
  return fmt::format("{}{}{}{}", o.prompt ? "pp" : "tg", o.tokens,
                     o.columns > 1 ? fmt::format("x{}", o.columns) : "",
                     o.depth ? fmt::format("@d{}", o.depth) : "");
}

TokenCost token_cost(const Engine& engine) {
  TokenCost cost;
  const model::ModelSpec& spec = engine.model().spec;
  for (const model::BoundTensor& tensor : engine.model().tensors) {
    const bool embedding = tensor.role == model::Role::kEmbedding;
    // Untied, the embedding is a table of which a token reads one row.
    if (embedding && !spec.tied_output) continue;
    // Of the experts a token meets only the active ones.
    const f64 met = model::share_met(spec, tensor.role, tensor.layer);
    cost.bytes += u64(f64(tensor.packed_bytes) * met);
    if (model::form(tensor.role) == model::Form::kVector) continue;
    const bool output = embedding || tensor.role == model::Role::kOutput;
    (output ? cost.output_operations : cost.operations)[u8(kernels::dot_kind(tensor.layout))] +=
        2 * f64(tensor.shape[0] * tensor.shape[1]) * met;
  }
  cost.kv_bytes = plan::kv_bytes_per_token(spec, engine.kv_format());
  return cost;
}

Result<Meter> Meter::make(Engine& engine, const MeasureOptions& options) {
  const u32 tokens = options.tokens;
  if (tokens == 0 || u64(options.depth) + tokens > engine.context())
    return fail("{} tokens at depth {} in a context of {}", tokens, options.depth,
                engine.context());
  const TokenCost cost = token_cost(engine);
  Measurement result{.options = options,
                     .seconds = {},
                     .bytes_per_token = 0,
                     .operations_per_token = cost.operations};
  // A prompt reads the weights once for all its tokens and wants one row of logits; of columns
  // every one wants its own.
  const f64 share = options.prompt ? 1.0 / tokens : 1.0 / options.columns;
  result.bytes_per_token = f64(cost.bytes) * share;
  if (!options.prompt)
    result.bytes_per_token += (options.depth + (tokens - 1) / 2.0) * f64(cost.kv_bytes);
  for (u32 kind = 0; kind < kernels::kDotKindCount; ++kind)
    result.operations_per_token[kind] +=
        cost.output_operations[kind] * (options.prompt ? share : 1);
  Meter meter(engine, std::move(result));
  meter.ids_ = random_ids(options.depth + tokens, engine.model().spec.vocab);
  for (u32 i = 0; i < options.columns; ++i) {
    TRY(Sequence sequence, engine.start());
    meter.sequences_.push_back(std::move(sequence));
  }
  CHECK_OK(meter.prepare());
  CHECK_OK(meter.run(options.prompt ? tokens : std::min(tokens, kWarmUpTokens)));
  return meter;
}

Result<void> Meter::prepare() {
  const u32 depth = result_.options.depth;
  const std::span<const TokenId> before(ids_.data(), depth);
  for (Sequence& sequence : sequences_) {
    sequence.truncate(depth);
    if (sequence.length() < depth) CHECK_OK(engine_->score(sequence, before, depth - 1, ignore));
  }
  return {};
}

Result<void> Meter::run(u32 tokens) {
  const std::span<const TokenId> ids(ids_.data() + result_.options.depth, tokens);
  if (result_.options.prompt) return engine_->score(sequences_[0], ids, tokens - 1, ignore);
  std::vector<Sequence*> all;
  for (Sequence& sequence : sequences_) all.push_back(&sequence);
  for (const TokenId id : ids)
    CHECK_OK(engine_->score_each(all, std::vector<TokenId>(all.size(), id), ignore));
  return {};
}

Result<f64> Meter::next() {
  CHECK_OK(prepare());
  const auto start = Clock::now();
  CHECK_OK(run(result_.options.tokens));
  result_.seconds.push_back(std::chrono::duration<f64>(Clock::now() - start).count());
  return result_.seconds.back();
}

}  // namespace orrery::engine
