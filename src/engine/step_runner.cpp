#include "engine/step_runner.h"

#include <algorithm>
#include <cstring>

namespace orrery::engine {
namespace {

constexpr u32 kShownTokens = 16;  // of a text around the place where two part
// What the end of a program may last for the sake of the next start.
constexpr f64 kSaveSecondsMax = 10;
constexpr f64 kRunSecondsNew = 0.1;  // share of a new one in the mean of run_seconds()

ScheduleLimits limits_of(Engine& engine, const SchedulerOptions& options, u32 running_max) {
  return {.running_max = running_max,
          .batch_tokens_max = engine.scratch().tokens_max,
          .logit_rows_max = engine.scratch().logit_rows_max,
          .step_seconds = options.step_ms / 1000,
          .prefix_cache = options.prefix_cache};
}

std::optional<StateMoves> state_moves(forward::KvCache& cache) {
  if (cache.rewinds()) return std::nullopt;
  return StateMoves{
      .count = cache.states_kept(),
      .save = [&cache](u32 sequence, u32 kept) { cache.save_states(sequence, kept); },
      .load = [&cache](u32 kept, u32 sequence) { cache.load_states(kept, sequence); }};
}

f64 seconds_between(StepRunner::Clock::time_point begin, StepRunner::Clock::time_point end) {
  return std::chrono::duration<f64>(end - begin).count();
}

}  // namespace

Result<std::unique_ptr<StepRunner>> StepRunner::make(Engine& engine,
                                                     const SchedulerOptions& options,
                                                     u32 running_max, std::function<void()> wake) {
  std::unique_ptr<DiskPages> disk;
  // A page alone is no beginning of a text where there are states.
  if (!options.disk.folder.empty() && options.prefix_cache && engine.cache().rewinds()) {
    if (engine.identity().empty())
      return fail("texts of this model cannot be kept on disk: its files have no state to tell");
    const auto memory = [&engine](u32 page) { return engine.cache().page_bytes(page); };
    TRY(disk, DiskPages::open(options.disk, engine.identity(), memory));
  }
  return std::unique_ptr<StepRunner>(
      new StepRunner(engine, options, running_max, std::move(disk), std::move(wake)));
}

StepRunner::StepRunner(Engine& engine, const SchedulerOptions& options, u32 running_max,
                       std::unique_ptr<DiskPages> disk, std::function<void()> wake)
    : engine_(&engine),
      wake_(std::move(wake)),
      disk_(std::move(disk)),
      schedule_(engine.cache().pool(), limits_of(engine, options, running_max), disk_.get(),
                state_moves(engine.cache())) {
  mask_.resize(divide_up(engine.model().spec.vocab, 32u));
  batch_.tokens.reserve(engine.scratch().tokens_max);
}

f64 StepRunner::now() const { return seconds_between(began_, Clock::now()); }

// Where rope scaling reads the length of the text, keys of the same tokens differ by it: texts meet
// only where it gives the same angles at every position.
std::string StepRunner::cache_key(const Submission& submission) const {
  const model::Rope& rope = engine_->model().spec.rope;
  u32 length = 0;
  if (rope.depends_on_length())
    length = std::max(u32(submission.prompt.size()), rope.original_context);
  return fmt::format("{} {}", length, submission.owner);
}

void StepRunner::take(std::unique_ptr<LiveRequest> request) {
  auto live = std::make_unique<Live>();
  const Submission& submission = request->submission();
  Job& job = live->job;
  job.id = request->ticket();
  job.owner = submission.owner;
  job.priority = submission.priority;
  job.arrival = seconds_between(began_, request->submitted());
  if (submission.deadline_seconds) job.deadline = job.arrival + *submission.deadline_seconds;
  job.tokens = &request->tokens();
  job.prompt_count = u32(submission.prompt.size());
  job.cache_key = cache_key(submission);
  job.wants_prompt_logits = submission.prompt_logprobs.has_value();
  job.takes_prefix = !submission.hidden && !job.wants_prompt_logits;
  live->request = std::move(request);
  if (!load(*live)) schedule_.add(job);
  requests_.emplace(job.id, std::move(live));
}

bool StepRunner::load(Live& live) {
  const Job& job = live.job;
  PrefixTree::Stored stored = schedule_.stored(job);
  Load load{
      .ticket = job.id, .first = stored.first, .pages = schedule_.borrow(stored.names.size())};
  if (load.pages.empty()) return false;
  stored.names.resize(load.pages.size());
  load.cache_key = job.cache_key;
  load.tokens.assign(job.tokens->begin(), job.tokens->end());
  std::vector<u32> pages = load.pages;
  disk_->read(std::move(stored.names), std::move(pages),
              [this, done = std::move(load)](u32 good) mutable {
                done.good = good;
                {
                  const std::lock_guard lock(loaded_mutex_);
                  loaded_.push_back(std::move(done));
                }
                wake_();
              });
  live.loading = true;
  ++loading_;
  return true;
}

void StepRunner::take_loaded() {
  std::vector<Load> loaded;
  {
    const std::lock_guard lock(loaded_mutex_);
    loaded.swap(loaded_);
  }
  for (const Load& load : loaded) {
    const std::span<const u32> pages(load.pages);
    schedule_.adopt(load.cache_key, load.tokens, load.first, pages.first(load.good),
                    pages.subspan(load.good));
    const auto found = requests_.find(load.ticket);
    if (found == requests_.end()) continue;  // it has ended meanwhile
    found->second->loading = false;
    --loading_;
    schedule_.add(found->second->job);
  }
}

void StepRunner::save() {
  if (!disk_) return;
  const auto begin = Clock::now();
  schedule_.tree().visit([&](const PageName& name, u32 page) {
    return disk_->write(name, page) && seconds_between(begin, Clock::now()) < kSaveSecondsMax;
  });
}

void StepRunner::cancel(u64 ticket) {
  if (requests_.contains(ticket)) end(ticket, Finish::kCancelled);
}

void StepRunner::cancel_all() {
  while (!requests_.empty()) end(requests_.begin()->first, Finish::kCancelled);
}

void StepRunner::end_overdue() {
  std::vector<u64> over;
  const f64 time = now();
  for (const auto& [ticket, live] : requests_)
    if (live->job.deadline <= time) over.push_back(ticket);
  for (const u64 ticket : over) end(ticket, Finish::kDeadline);
}

void StepRunner::end(u64 ticket, Finish finish, std::optional<Error> error) {
  Live& live = *requests_.at(ticket);
  live.request->why.preemptions = live.job.preemptions;
  live.request->why.recomputed = live.job.recomputed;
  live.request->end(finish, std::move(error));
  forget(ticket);
}

void StepRunner::forget(u64 ticket) {
  const auto found = requests_.find(ticket);
  Live& live = *found->second;
  ++stats_.ended[u8(live.request->finish())];
  stats_.decode_gap_max = std::max(stats_.decode_gap_max, live.request->timings.decode_gap_max);
  if (live.started != Clock::time_point()) {
    const f64 ran = seconds_between(live.started, Clock::now());
    run_seconds_ = run_seconds_ == 0 ? ran : run_seconds_ + kRunSecondsNew * (ran - run_seconds_);
  }
  if (live.loading)
    --loading_;
  else
    schedule_.remove(live.job);
  requests_.erase(found);
}

void StepRunner::start(Live& live) {
  if (live.started != Clock::time_point() || !live.job.runs()) return;
  live.started = Clock::now();
  live.request->note_started(live.started);
  live.request->usage.cached = live.job.cached;
  stats_.prompt_tokens += live.job.prompt_count;
  stats_.cached_tokens += live.job.cached;
  if (auto ready = live.request->prepare(*engine_); !ready) live.failed = ready.error();
  live.job.tokens = &live.request->tokens();
  if (live.request->submission().why) note_parting(live);
}

void StepRunner::note_parting(Live& live) {
  Why& why = live.request->why;
  why.parted_at = live.job.parted_at;
  const text::Tokenizer* tokenizer = engine_->tokenizer();
  if (!tokenizer || live.job.parted_at == 0) return;
  const std::span<const text::TokenId> prompt(live.request->submission().prompt);
  const u64 at = std::min<u64>(live.job.parted_at, prompt.size());
  const auto shown = [&](u64 begin, u64 end) {
    return tokenizer->decode(prompt.subspan(begin, end - begin), true);
  };
  why.parted_before = shown(at - std::min<u64>(at, kShownTokens), at);
  why.parted_here = shown(at, std::min<u64>(at + kShownTokens, prompt.size()));
  why.parted_cached = tokenizer->decode(live.job.cached_next, true);
}

void StepRunner::copy_pages(const StepPlan& plan) {
  forward::KvCache& cache = engine_->cache();
  for (const auto& [from, to] : plan.copies)
    if (from != to) {
      const std::span<u8> source = cache.page_bytes(from);
      std::memcpy(cache.page_bytes(to).data(), source.data(), source.size());
    }
}

void StepRunner::fill_batch(const StepPlan& plan) {
  batch_.tokens.clear();
  for (const auto& [job, begin, count] : plan.runs) {
    const LiveRequest& request = *live(*job).request;
    for (u32 position = begin; position < begin + count; ++position) {
      const bool wanted = job->wants_prompt_logits || position + 1 == job->known();
      batch_.tokens.push_back(
          {(*job->tokens)[position], job->sequence, position, wanted, request.length_at(position)});
    }
  }
}

void StepRunner::step(const std::function<void()>& planned) {
  const StepPlan& plan = schedule_.plan();
  for (Job* job : plan.started) start(live(*job));
  planned();
  copy_pages(plan);
  if (plan.runs.empty()) {
    // Nothing that is left can ever run: all pages are too few for it.
    if (!requests_.empty() && loading_ == 0)
      end(requests_.begin()->first, Finish::kError,
          Error{"the text does not fit the key/value cache"});
    return;
  }
  fill_batch(plan);
  const auto begin = Clock::now();
  const Result<void> passed = engine_->pass(batch_);
  const f64 seconds = seconds_between(begin, Clock::now());
  ++stats_.steps;
  stats_.forward_seconds += seconds;
  const std::vector<StepPlan::Run> runs = plan.runs;
  if (!passed) return fail_all(runs, passed.error());
  note_chunks(plan, seconds);
  schedule_.completed(seconds);
  read(runs);
}

void StepRunner::fail_all(const std::vector<StepPlan::Run>& runs, const Error& error) {
  for (const StepPlan::Run& run : runs) end(run.job->id, Finish::kError, error);
}

void StepRunner::note_chunks(const StepPlan& plan, f64 seconds) {
  for (const auto& [job, begin, count] : plan.runs) {
    if (begin >= job->prompt_count) continue;
    Why& why = live(*job).request->why;
    ++why.chunks_count;
    if (why.chunks.size() < kWhyChunksMax && live(*job).request->submission().why)
      why.chunks.push_back({.begin = begin,
                            .count = count,
                            .batch_tokens = plan.work.tokens,
                            .batch_requests = u32(plan.runs.size()),
                            .seconds = seconds});
  }
}

void StepRunner::read(const std::vector<StepPlan::Run>& runs) {
  u32 row = 0, first = 0;
  for (const StepPlan::Run& run : runs) {
    const u64 ticket = run.job->id;
    Live& one = live(*run.job);
    const u32 count = run.count;
    if (one.failed) {
      for (u32 i = 0; i < count; ++i) row += batch_.tokens[first + i].logits;
      end(ticket, Finish::kError, one.failed);
    } else {
      const u32 said = one.request->usage.completion;
      one.request->why.preemptions = one.job.preemptions;
      one.request->why.recomputed = one.job.recomputed;
      const bool goes_on = read_run(one, run, first, row);
      stats_.completion_tokens += one.request->usage.completion - said;
      if (!goes_on) forget(ticket);
    }
    first += count;
  }
}

bool StepRunner::read_run(Live& one, const StepPlan::Run& run, u32 first, u32& row) {
  const u32 vocab = engine_->model().spec.vocab;
  LiveRequest& request = *one.request;
  bool goes_on = true;
  for (u32 i = 0; i < run.count; ++i) {
    const forward::BatchToken& token = batch_.tokens[first + i];
    request.tell_hidden(*engine_, first + i, token.position);
    if (!token.logits) continue;
    const std::span<f32> logits(engine_->scratch().logits + u64(row++) * vocab, vocab);
    request.read_prompt_logits(token.position, logits);
    if (token.position + 1 != request.tokens().size()) continue;
    if (request.submission().prompt_only) {
      request.end_prompt();
      goes_on = false;
      continue;
    }
    request.choose(logits, mask_);
    goes_on = request.tell(token.position + 1);
    break;  // the last of the run: what is known now was not, and has no row
  }
  return goes_on;
}

const SchedulerStats& StepRunner::stats() {
  const forward::PagePool& pool = engine_->cache().pool();
  stats_.running = u32(schedule_.running().size());
  stats_.waiting = u32(schedule_.waiting().size() + loading_);
  stats_.pages = pool.count();
  stats_.pages_free = pool.free();
  stats_.pages_cached = pool.idle();
  stats_.preemptions = schedule_.preemptions();
  stats_.evicted_pages = schedule_.tree().evicted();
  if (disk_) stats_.disk = disk_->stats();
  return stats_;
}

}  // namespace orrery::engine
