#include "engine/watched_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

namespace orrery::engine {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens of a prompt that are computed together: few, so that requests of others wait little.
constexpr u32 kChunk = 64;
// What watching may cost beside decoding, less what cannot be spaced and the taps inside a pass.
constexpr f64 kShareMax = 0.012;
// Statistics of so many layers come between two looks at the residual stream.
constexpr u32 kStatsPerResidual = 8;
// Half of what is remembered of costs fades in about so many seconds of decoding.
constexpr f64 kMemorySeconds = 2;

f64 seconds_since(Clock::time_point begin) {
  return std::chrono::duration<f64>(Clock::now() - begin).count();
}

}  // namespace

std::string_view name(RunState state) {
  constexpr std::string_view kNames[] = {"queued", "prefill", "running", "paused", "ended"};
  return kNames[u8(state)];
}

bool WatchCost::affords(f64 seconds) const {
  return recent_observer + seconds <= kShareMax * recent_forward;
}

void WatchCost::add(f64 forward_seconds, f64 observer_seconds) {
  forward += forward_seconds;
  observer += observer_seconds;
  ++tokens;
  const f64 keep = 1 / (1 + forward_seconds / kMemorySeconds);
  recent_forward = recent_forward * keep + forward_seconds;
  recent_observer = recent_observer * keep + observer_seconds;
}

WatchedRun::WatchedRun(Engine& engine, StepWatcher& watcher, WatchCost& cost, RunRequest request)
    : engine_(&engine),
      watcher_(&watcher),
      cost_(&cost),
      request_(std::move(request)),
      tokens_(request_.prompt),
      prompt_count_(u32(request_.prompt.size())),
      groups_(kv_groups(engine.model().spec, engine.cache().format())),
      reader_(engine.kernels(), engine.team()) {
  tokens_.reserve(engine.context() + 1);
  prompt_seen_.resize(tokens_.size());
  if (engine.tokenizer()) detokenizer_.emplace(*engine.tokenizer(), true);
  if (request_.paused) state_ = RunState::kPaused;
}

void WatchedRun::start_from(const WatchedRun& parent, u32 length) {
  forward::KvCache& cache = engine_->cache();
  // States are those of the parent's end; there is no way back to an earlier position.
  if (!parent.in_cache() || !cache.rewinds() || length > parent.computed_ || !open()) return;
  if (!cache.reserve(sequence(), length)) return release();
  const std::vector<u32>& from = cache.pages_of(parent.sequence());
  const std::vector<u32>& to = cache.pages_of(sequence());
  for (u32 i = 0; i < divide_up(length, forward::kPageTokens); ++i)
    std::memcpy(cache.page_bytes(to[i]).data(), cache.page_bytes(from[i]).data(),
                cache.page_bytes(to[i]).size());
  computed_ = copied_ = length;
}

Result<void> WatchedRun::open() {
  if (sequence_) return {};
  TRY(Sequence sequence, engine_->start());
  sequence_.emplace(std::move(sequence));
  computed_ = 0;
  return {};
}

bool WatchedRun::wants_to_run() const {
  return state_ == RunState::kQueued || state_ == RunState::kPrefill ||
         state_ == RunState::kRunning;
}

void WatchedRun::pause() {
  if (state_ != RunState::kEnded) state_ = RunState::kPaused;
  steps_ = 0;
}

void WatchedRun::resume(std::optional<u32> tokens_max) {
  if (tokens_max) request_.tokens_max = *tokens_max;
  steps_ = 0;
  reply_begin_ = {};
  finish_.clear();
  error_.clear();
  state_ = RunState::kQueued;
}

void WatchedRun::step(u32 count) {
  resume();
  steps_ = count;
}

void WatchedRun::stop() {
  if (state_ != RunState::kEnded) end("cancelled");
}

void WatchedRun::release() {
  sequence_.reset();
  computed_ = copied_ = 0;
}

void WatchedRun::end(std::string_view finish) {
  finish_ = finish;
  state_ = RunState::kEnded;
  steps_ = 0;
}

void WatchedRun::advance(const WatchOptions& options, const OnStep& on_step) {
  if (auto done = advance_checked(options, on_step); !done) {
    error_ = done.error().message;
    end("error");
  }
}

// Statistics and the residual stream are dear, so they come when they can be afforded: of one layer
// a time, and the stream once for a round of layers.
PassWants WatchedRun::wants(const WatchOptions& options, bool decoding) {
  stat_layer_.reset();
  PassWants wants{.route = options.route || options.route_full};
  if (options.thin >= 4) return wants;
  const bool residual_next = stats_since_residual_ >= kStatsPerResidual || !options.stat;
  wants.residual =
      options.residual && (!decoding || (residual_next && cost_->affords(residual_seconds_)));
  const bool halved = options.thin >= 1 && tokens_.size() % 2 != 0;
  const bool stat_next = !residual_next || !options.residual;
  if (options.stat && !halved && (!decoding || (stat_next && cost_->affords(stat_seconds_)))) {
    const u32 layers = u32(engine_->model().spec.layers.size());
    for (u32 i = 0; i < layers && !stat_layer_; ++i, ++next_layer_)
      if (watcher_->has_rows(next_layer_ % layers)) stat_layer_ = next_layer_ % layers;
  }
  if (wants.residual)
    stats_since_residual_ = 0;
  else if (stat_layer_)
    ++stats_since_residual_;
  wants.attention = stat_layer_ || (options.row && !options.pinned.empty());
  return wants;
}

void WatchedRun::fill_batch(u32 count, bool all_rows) {
  batch_.tokens.clear();
  for (u32 i = computed_; i < computed_ + count; ++i)
    batch_.tokens.push_back({tokens_[i], sequence(), i, all_rows || i + 1 == tokens_.size(),
                             std::max(prompt_count_, i + 1)});
}

Result<void> WatchedRun::advance_checked(const WatchOptions& options, const OnStep& on_step) {
  CHECK_OK(open());
  const u32 open_tokens = u32(tokens_.size()) - computed_;
  if (open_tokens == 0) return fail("there is no token to compute");
  if (tokens_.size() > engine_->context()) {
    end("context_full");
    return {};
  }
  const bool decoding = open_tokens == 1 && computed_ >= prompt_count_;
  state_ = decoding ? RunState::kRunning : RunState::kPrefill;
  PassWants pass_wants = wants(options, decoding);
  const bool all_rows = request_.prompt_logprobs && computed_ < prompt_count_;
  u32 count = std::min({open_tokens, kChunk, engine_->scratch().tokens_max,
                        watcher_->tokens_max(pass_wants, all_rows)});
  if (all_rows) count = std::min(count, engine_->scratch().logit_rows_max);
  fill_batch(count, all_rows);
  // Attention is told of tokens that give logits; in the middle of a prompt the last one does not.
  if (!batch_.tokens.back().logits) {
    pass_wants.attention = false;
    stat_layer_.reset();
  }
  const auto start = Clock::now();
  CHECK_OK(watcher_->pass(batch_, pass_wants, seen_));
  const auto watching = Clock::now();
  const f64 pass_seconds = watcher_->pass_seconds();
  const f64 forward_seconds = std::max(0.0, seconds_since(start) - pass_seconds);
  if (decoding && pass_wants.residual) residual_seconds_ = pass_seconds;
  forward_ms_ = f32(1000 * forward_seconds);
  if (all_rows) read_prompt_logits(batch_, options);
  tell_steps(options, pass_wants, f32(1000 * forward_seconds / count), on_step);
  computed_ += count;
  if (!decoding) {
    prompt_seconds_ += forward_seconds;
    cost_->prefill_seconds += forward_seconds;
    cost_->prefill_tokens += count;
  }
  if (computed_ < tokens_.size()) return {};
  SeenToken token{.kind = TokenKind::kReply};
  const u32 row = u32(engine_->scratch().logit_rows.size()) - 1;
  const u32 vocab = engine_->model().spec.vocab;
  CHECK_OK(choose({engine_->scratch().logits + u64(row) * vocab, vocab}, options.token, token));
  // Without the draw, which is no part of watching; with the handing over of the token before.
  const f64 observer_seconds =
      std::max(0.0, pass_seconds + seconds_since(watching) - sample_seconds_ + hand_over_seconds_);
  if (decoding) {
    reply_seconds_ += forward_seconds;
    cost_->add(forward_seconds, observer_seconds);
  }
  token.forward_ms = forward_ms_;
  token.observer_ms = f32(1000 * observer_seconds);
  const auto handing = Clock::now();
  take(std::move(token), on_step);
  hand_over_seconds_ = options.token ? seconds_since(handing) : 0;
  return {};
}

// What was seen of the tokens of a pass goes to the viewer.
void WatchedRun::tell_steps(const WatchOptions& options, const PassWants& pass_wants,
                            f32 forward_ms, const OnStep& on_step) {
  for (StepSeen& seen : seen_) {
    if (seen.position >= told_) {  // replies' tokens were told when they were chosen
      told_ = seen.position + 1;
      SeenToken token;
      if (seen.position < prompt_seen_.size()) token = std::move(prompt_seen_[seen.position]);
      const bool is_set = copied_ > 0 && seen.position + 1 == prompt_seen_.size();
      token.kind = is_set ? TokenKind::kSet : TokenKind::kPrompt;
      token.forward_ms = forward_ms;
      describe(token, tokens_[seen.position]);
      seen.token = std::move(token);
    }
    if (options.kv)
      add_kv_events(groups_, engine_->cache().pages_of(sequence()), seen.position, seen.kv);
    seen.routes_full = options.route_full;
  }
  if (pass_wants.attention) see_attention(options, seen_.back());
  for (StepSeen& seen : seen_) {
    seen.thinned |= options.thin > 0;
    if (seen.thinned) ++cost_->thinned;
    on_step(std::move(seen));
  }
}

// Statistics of the layer whose turn it is, and the pinned rows.
void WatchedRun::see_attention(const WatchOptions& options, StepSeen& seen) {
  if (stat_layer_) {
    const auto start = Clock::now();
    seen.stats.push_back(watcher_->stat(*stat_layer_, false));
    stat_seconds_ = seconds_since(start) + watcher_->pass_seconds();
  }
  if (!options.row) return;
  const u32 layers = u32(engine_->model().spec.layers.size());
  for (const HeadRef& pinned : options.pinned)
    if (pinned.layer < layers && pinned.head < watcher_->heads_of(pinned.layer))
      seen.rows.push_back(watcher_->row(pinned.layer, pinned.head));
}

void WatchedRun::look(const WatchOptions& options, const OnStep& on_step) {
  if (!sequence_ || computed_ == 0 || !engine_->cache().rewinds()) return;
  const u32 position = computed_ - 1;
  batch_.tokens.clear();
  // The same token at the same place: its keys and values are written again, with the same bits.
  batch_.tokens.push_back(
      {tokens_[position], sequence(), position, true, std::max(prompt_count_, position + 1)});
  const bool attention = options.stat || options.top || (options.row && !options.pinned.empty());
  const PassWants all{.residual = options.residual,
                      .route = options.route || options.route_full_on_pause,
                      .attention = attention};
  if (!watcher_->pass(batch_, all, seen_)) return;
  StepSeen& seen = seen_.back();
  seen.routes_full = options.route_full || options.route_full_on_pause;
  const u32 layers = u32(engine_->model().spec.layers.size());
  for (u32 layer = 0; layer < layers && attention; ++layer) {
    if (!watcher_->has_rows(layer)) continue;
    if (options.stat) seen.stats.push_back(watcher_->stat(layer, true));
    if (options.top) seen.tops.push_back(watcher_->top(layer));
  }
  if (options.row)
    for (const HeadRef& pinned : options.pinned)
      if (pinned.layer < layers && pinned.head < watcher_->heads_of(pinned.layer))
        seen.rows.push_back(watcher_->row(pinned.layer, pinned.head));
  on_step(std::move(seen));
}

Result<void> WatchedRun::revisit(u32 position) {
  if (!sequence_ || position >= computed_) return fail("position {} is not in the cache", position);
  if (!engine_->cache().rewinds()) return fail("this model keeps states, which know no way back");
  batch_.tokens.clear();
  batch_.tokens.push_back(
      {tokens_[position], sequence(), position, true, std::max(prompt_count_, position + 1)});
  return watcher_->pass(batch_, {.attention = true}, seen_);
}

// What the logits of a chunk say about the prompt's tokens that follow each of its tokens.
void WatchedRun::read_prompt_logits(const forward::Batch& batch, const WatchOptions& options) {
  const u32 vocab = engine_->model().spec.vocab;
  for (u32 i = 0; i < batch.size() && options.token; ++i) {
    const u32 next = batch.tokens[i].position + 1;
    if (next >= prompt_seen_.size()) return;
    const std::span<const f32> logits(engine_->scratch().logits + u64(i) * vocab, vocab);
    read_logits(logits, prompt_seen_[next]);
    place_token(logits, tokens_[next], prompt_seen_[next]);
  }
}

Result<void> WatchedRun::choose(std::span<const f32> logits, bool watched, SeenToken& token) {
  if (!sampler_) {
    TRY(sampler_, forward::Sampler::make(request_.sampler, u32(logits.size())));
  }
  if (watched) {
    CHECK_OK(draw(*sampler_, logits, tokens_, token));
  } else {
    const auto sampling = Clock::now();
    TRY(token.id, sampler_->sample(logits, tokens_, prompt_count_));
    sample_seconds_ = seconds_since(sampling);
  }
  uniforms_.push_back(token.uniform);
  return {};
}

Result<void> WatchedRun::draw(forward::Sampler& sampler, std::span<const f32> logits,
                              std::span<const text::TokenId> history, SeenToken& token) {
  forward::SamplerRecord record;
  read_logits(logits, token);
  record.watched.reserve(token.candidates.size());
  for (const SeenCandidate& candidate : token.candidates)
    record.watched.push_back({.id = candidate.id});
  sampler.record(&record);
  const auto sampling = Clock::now();
  const auto chosen = sampler.sample(logits, history, prompt_count_);
  sample_seconds_ = seconds_since(sampling);
  sampler.record(nullptr);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  token.id = *chosen;
  for (u32 i = 0; i < token.candidates.size(); ++i) {
    SeenCandidate& to = token.candidates[i];
    const forward::SamplerRecord::Watched& from = record.watched[i];
    to.dropped_by = from.dropped_by;
    to.probability = from.probability;
    if (from.dropped_by == forward::kDroppedNever) to.bar_begin = f32(from.bar_begin);
  }
  token.stages = std::move(record.stages);
  token.uniform = record.uniform;
  token.bar_begin = f32(record.bar_begin);
  token.bar_end = f32(record.bar_end);
  place_token(logits, *chosen, token);
  return {};
}

Result<SeenToken> WatchedRun::resample(u32 position, const forward::SamplerSettings& settings) {
  CHECK_OK(revisit(position));
  const u32 vocab = engine_->model().spec.vocab;
  TRY(forward::Sampler sampler, forward::Sampler::make(settings, vocab));
  const u64 index = u64(position) + 1 - prompt_count_;
  if (position + 1 >= prompt_count_ && index < uniforms_.size() && !std::isnan(uniforms_[index]))
    sampler.fix_uniform(uniforms_[index]);
  SeenToken token{.kind = TokenKind::kReply};
  CHECK_OK(draw(sampler, {engine_->scratch().logits, vocab}, {tokens_.data(), u64(position) + 1},
                token));
  const text::Tokenizer* tokenizer = engine_->tokenizer();
  token.special = tokenizer && tokenizer->is_special(token.id);
  if (tokenizer) token.bytes = tokenizer->token_bytes(token.id);
  token.text = token.bytes;
  return token;
}

void WatchedRun::take(SeenToken token, const OnStep& on_step) {
  const bool stops = !request_.ignore_stop_tokens && engine_->is_stop(token.id);
  const text::TokenId id = token.id;
  describe(token, id);
  tokens_.push_back(id);
  ++reply_count_;
  if (reply_begin_ == Clock::time_point()) reply_begin_ = Clock::now();
  wall_seconds_ = seconds_since(reply_begin_);
  told_ = u32(tokens_.size());
  reply_text_ += token.text;
  StepSeen seen{.position = u32(tokens_.size()) - 1};
  seen.token = std::move(token);
  on_step(std::move(seen));
  bool found = false;
  for (const std::string& stop : request_.stops)
    found |= !stop.empty() && reply_text_.find(stop) != std::string::npos;
  if (reply_text_.size() > 8192) reply_text_.erase(0, reply_text_.size() - 2048);
  if (stops) return end("stop_token");
  if (found) return end("stop_text");
  if (request_.tokens_max && reply_count_ >= request_.tokens_max) return end("length");
  if (tokens_.size() >= engine_->context()) return end("context_full");
  if (steps_ > 0 && --steps_ == 0)
    state_ = RunState::kPaused;
  else
    state_ = RunState::kRunning;
}

void WatchedRun::describe(SeenToken& token, text::TokenId id) {
  token.id = id;
  const text::Tokenizer* tokenizer = engine_->tokenizer();
  if (!tokenizer) return;
  token.special = tokenizer->is_special(id);
  token.bytes = token.special ? std::string(tokenizer->token_name(id)) : tokenizer->token_bytes(id);
  token.text = detokenizer_->push(id);
}

}  // namespace orrery::engine
