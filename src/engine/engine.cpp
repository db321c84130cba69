#include "engine/engine.h"

#include <algorithm>
#include <chrono>

#include "engine/text_loading.h"
#include "plan/memory.h"

namespace orrery::engine {
namespace {

class Stopwatch {
 public:
  [[nodiscard]] f64 lap() {
    const auto now = std::chrono::steady_clock::now();
    const f64 seconds = std::chrono::duration<f64>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Why loading would fail for want of memory, said before the machine starts to swap.
Result<void> check_memory(const plan::Host& host, u64 needed) {
  const u64 limit = std::min(host.memory_bytes, host.memory_limit_bytes);
  if (limit > 0 && needed > limit)
    return fail(
        "needs {} MiB of memory, but this machine lets it have {} MiB; take a smaller format "
        "or a shorter context",
        needed >> 20, limit >> 20);
  return {};
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(const std::filesystem::path& path,
                                             const EngineOptions& options) {
  Stopwatch watch;
  std::unique_ptr<Engine> engine(new Engine(options.packs));
  Engine& e = *engine;
  TRY(e.kernels_, kernels::resolve_from_environment());
  TRY(e.host_, plan::probe_host());
  TRY(e.checkpoint_, checkpoint::Checkpoint::open(path));
  TRY(const model::Description description, model::describe(*e.checkpoint_));
  const model::BindOptions bind_options{.exact = options.exact, .round_to = options.weights};
  const kernels::KvFormat kv =
      options.kv.value_or(options.exact ? kernels::KvFormat::kF32 : kernels::KvFormat::kF16);
  e.context_ =
      options.context ? options.context : std::min(description.spec.context, kContextDefault);
  e.chunk_ = std::clamp(options.chunk, 1u, std::max(1u, e.context_));
  TRY(model::BindPlan bind_plan, model::plan_binding(*e.checkpoint_, description, bind_options));
  CHECK_OK(check_memory(
      e.host_,
      bind_plan.bytes +
          options.sequences * (e.context_ * plan::kv_bytes_per_token(description.spec, kv) +
                               plan::state_bytes_per_sequence(description.spec)) +
          options.states_kept * plan::state_bytes_per_sequence(description.spec)));
  e.load_timings_.open = watch.lap();

  const u32 threads = options.threads ? options.threads : e.host_.threads_best;
  if (threads > 1024) return fail("{} threads; give a number up to 1024", threads);
  e.team_ = std::make_unique<ThreadTeam>(threads);
  Progress& progress = options.progress ? *options.progress : no_progress();
  CHECK_OK(e.load(description, bind_options, std::move(bind_plan), progress));
  TRY(e.cache_, forward::KvCache::make(description.spec, kv, u64(e.context_) * options.sequences,
                                       options.sequences, options.states_kept));
  if (!e.identity_.empty())
    e.identity_ += fmt::format(" {} {}{}", kernels::name(kv), kernels::name(e.kernels_.isa),
                               options.exact ? " exact" : "");
  const u32 logit_rows = std::max(1u, options.logit_rows);
  const u32 tokens_max = std::max(e.chunk_, logit_rows);
  TRY(e.scratch_, forward::Scratch::make(e.model_, tokens_max, logit_rows, threads));
  e.batch_.tokens.reserve(tokens_max);
  e.tap_rows_.reserve(tokens_max);
  e.load_timings_.weights = watch.lap();

  if (auto tokenizer = load_tokenizer(*e.checkpoint_))
    e.tokenizer_ = std::move(*tokenizer);
  else
    e.why_no_tokenizer_ = tokenizer.error().message;
  auto source = chat_template_source(*e.checkpoint_);
  auto parsed = source ? text::ChatTemplate::parse(*source)
                       : Result<text::ChatTemplate>(tl::unexpected<Error>(source.error()));
  if (parsed)
    e.chat_template_ = std::move(*parsed);
  else
    e.why_no_chat_template_ = parsed.error().message;
  e.stop_tokens_ = description.spec.stop_tokens;
  const auto eos = e.tokenizer_ ? e.tokenizer_->eos() : std::nullopt;
  if (eos) e.stop_tokens_.push_back(*eos);
  e.load_timings_.text = watch.lap();
  return engine;
}

// From a pack, or by packing, and then a pack is made of it. Packs never stop a model from loading.
Result<void> Engine::load(const model::Description& description, model::BindOptions options,
                          model::BindPlan plan, Progress& progress) {
  const ParallelFor parallel = parallel_on(*team_);
  const auto key = model::pack_key(*checkpoint_, plan);
  if (key) identity_ = model::pack_name(*key);
  if (key)
    if (MappedFile pack = packs_.find(*key, plan.bytes, parallel); !pack.bytes().empty()) {
      const Bytes data = model::pack_data(pack, plan.bytes);
      model_ = model::adopt(std::move(plan), description.spec, std::move(pack), data);
      return {};
    }
  TRY(model_, model::bind(*checkpoint_, description, options, parallel, progress));
  if (key)
    packs_.keep(*key, checkpoint_->path().filename().string(),
                {model_.memory.data(), model_.weights_bytes});
  return {};
}

u64 Engine::kv_bytes() const {
  return cache_.tokens_max() * plan::kv_bytes_per_token(model_.spec, cache_.format());
}

std::vector<std::string> unread_settings(const checkpoint::Checkpoint& checkpoint) {
  std::vector<std::string> unread = checkpoint.config().unread();
  // What describes the file and not the model.
  std::erase_if(unread, [](const std::string& key) {
    return key.starts_with("general.") || key.starts_with("tokenizer.") ||
           key.starts_with("split.") || key.starts_with("quantize.");
  });
  return unread;
}

bool Engine::is_stop(text::TokenId id) const {
  return std::find(stop_tokens_.begin(), stop_tokens_.end(), id) != stop_tokens_.end();
}

Result<Sequence> Engine::start() {
  TRY(const u32 number, cache_.open_sequence());
  Sequence sequence(*this, number);
  sequence.tokens_.reserve(context_);
  return sequence;
}

Result<void> Engine::pass(const forward::Batch& batch) {
  CHECK_OK(forward::check(model_, batch, scratch_));
  for (const forward::BatchToken& token : batch.tokens)
    CHECK_OK(cache_.reserve(token.sequence, token.position + 1));
  if (!tap_) {
    trace::TapOff off;
    forward::forward(model_, kernels_, batch, cache_, scratch_, *team_, off);
    return {};
  }
  tap_rows_.clear();
  for (const forward::BatchToken& token : batch.tokens)
    tap_rows_.push_back({token.sequence, token.position, token.logits});
  tap_->begin_step(step_++, subscription_, tap_rows_);
  forward::forward(model_, kernels_, batch, cache_, scratch_, *team_, *tap_);
  return {};
}

void Engine::final_hidden(u32 index, std::span<f32> out) {
  kernels_.rms_norm(scratch_.residual + u64(index) * model_.spec.dim,
                    model_.weights.whole.vector(model::Role::kOutputNorm), out.data(),
                    model_.spec.dim, model_.spec.norm_eps);
}

void Engine::watch(trace::TapOn* tap, trace::Subscription subscription) {
  tap_ = tap;
  subscription_ = subscription;
}

// Feeds tokens chunk by chunk; those at `logits_from` and later give logits, as many a pass as fit.
Result<void> Engine::feed(Sequence& sequence, std::span<const text::TokenId> tokens,
                          u32 logits_from, const OnLogits& on_logits) {
  if (u64(sequence.length()) + tokens.size() > context_)
    return fail(
        "{} tokens do not fit the context of {} (of which {} are in use); ask for a longer one",
        tokens.size(), context_, sequence.length());
  const u32 length = sequence.length() + u32(tokens.size());
  u32 next = 0;
  while (next < tokens.size()) {
    batch_.tokens.clear();
    u32 logits = 0;
    const u32 first = next;
    for (; next < tokens.size() && batch_.size() < chunk_; ++next) {
      const bool wanted = next >= logits_from;
      if (wanted && logits == scratch_.logit_rows_max) break;
      logits += wanted;
      batch_.tokens.push_back(
          {tokens[next], sequence.number_, sequence.length() + next - first, wanted, length});
    }
    CHECK_OK(pass(batch_));
    sequence.tokens_.insert(sequence.tokens_.end(), tokens.begin() + first, tokens.begin() + next);
    for (u32 i = 0; i < logits; ++i)
      CHECK_OK(on_logits(u32(next - logits + i),
                         {scratch_.logits + u64(i) * model_.spec.vocab, model_.spec.vocab}));
  }
  return {};
}

Result<void> Engine::score_each(std::span<Sequence* const> sequences,
                                std::span<const text::TokenId> ids, const OnLogits& on_logits) {
  batch_.tokens.clear();
  for (u32 i = 0; i < ids.size(); ++i)
    batch_.tokens.push_back({ids[i], sequences[i]->number_, sequences[i]->length(), true});
  CHECK_OK(pass(batch_));
  for (u32 i = 0; i < ids.size(); ++i) {
    sequences[i]->tokens_.push_back(ids[i]);
    CHECK_OK(on_logits(i, {scratch_.logits + u64(i) * model_.spec.vocab, model_.spec.vocab}));
  }
  return {};
}

Result<void> Engine::score(Sequence& sequence, std::span<const text::TokenId> tokens, u32 first,
                           const OnLogits& on_logits) {
  return feed(sequence, tokens, first, on_logits);
}

Sequence::Sequence(Sequence&& other) noexcept
    : engine_(std::exchange(other.engine_, nullptr)),
      number_(other.number_),
      tokens_(std::move(other.tokens_)) {}

Sequence::~Sequence() {
  if (engine_) engine_->cache_.close_sequence(number_);
}

void Sequence::truncate(u32 length) {
  if (length >= tokens_.size()) return;
  if (!engine_->cache_.rewinds()) length = 0;
  tokens_.resize(length);
  engine_->cache_.truncate(number_, length);
}

}  // namespace orrery::engine
