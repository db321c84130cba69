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

Result<void> feed_prompt(Engine& engine, Sequence& sequence, std::span<const TokenId> ids) {
  return engine.score(sequence, ids, u32(ids.size()) - 1, ignore);
}

Result<void> feed_singly(Engine& engine, Sequence& sequence, std::span<const TokenId> ids) {
  for (const TokenId& id : ids) CHECK_OK(engine.score(sequence, {&id, 1}, 0, ignore));
  return {};
}

}  // namespace

std::string Measurement::name() const {
  return fmt::format("{}{}{}", prompt ? "pp" : "tg", tokens,
                     depth ? fmt::format("@d{}", depth) : "");
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
    const u64 operations = u64(2 * f64(tensor.shape[0] * tensor.shape[1]) * met);
    (embedding || tensor.role == model::Role::kOutput ? cost.output_operations : cost.operations) +=
        operations;
  }
  cost.kv_bytes = plan::kv_bytes_per_token(spec, engine.kv_format());
  return cost;
}

Result<Measurement> measure(Engine& engine, const MeasureOptions& options, Progress& progress) {
  const u32 tokens = options.tokens;
  if (tokens == 0 || u64(options.depth) + tokens > engine.context())
    return fail("{} tokens at depth {} in a context of {}", tokens, options.depth,
                engine.context());
  const TokenCost cost = token_cost(engine);
  Measurement result{.prompt = options.prompt,
                     .tokens = tokens,
                     .depth = options.depth,
                     .seconds = {},
                     .bytes_per_token = 0,
                     .operations_per_token = 0};
  const f64 mean_position = options.depth + (tokens - 1) / 2.0;
  if (options.prompt) {
    result.bytes_per_token = f64(cost.bytes) / tokens;
    result.operations_per_token = f64(cost.operations) + f64(cost.output_operations) / tokens;
  } else {
    result.bytes_per_token = f64(cost.bytes) + mean_position * f64(cost.kv_bytes);
    result.operations_per_token = f64(cost.operations + cost.output_operations);
  }

  TRY(Sequence sequence, engine.start());
  const std::vector<TokenId> ids = random_ids(options.depth + tokens, engine.model().spec.vocab);
  const std::span<const TokenId> before(ids.data(), options.depth);
  const std::span<const TokenId> measured(ids.data() + options.depth, tokens);
  progress.begin(result.name(), u64(tokens) * options.repetitions, "tokens");
  for (u32 i = 0; i <= options.repetitions; ++i) {
    const bool warm_up = i == 0;
    sequence.truncate(options.depth);
    if (sequence.length() < options.depth) CHECK_OK(feed_prompt(engine, sequence, before));
    const auto start = Clock::now();
    if (options.prompt)
      CHECK_OK(feed_prompt(engine, sequence, measured));
    else
      CHECK_OK(feed_singly(engine, sequence,
                           warm_up ? measured.first(std::min(tokens, kWarmUpTokens)) : measured));
    if (warm_up) continue;
    result.seconds.push_back(std::chrono::duration<f64>(Clock::now() - start).count());
    progress.advance(tokens);
    if (progress.cancelled()) return fail("stopped");
  }
  progress.end();
  return result;
}

}  // namespace orrery::engine
