#include "engine/schedule.h"

#include <algorithm>

namespace orrery::engine {
namespace {

using forward::kPageTokens;

constexpr u32 kPromptMin = 4;  // tokens of prompts that any step takes, if there are any
// A model with states can go on from the end of a prompt's last whole page, and from every so many
// tokens of it, as long as copies of the states last.
constexpr u32 kStateTokens = 512;

}  // namespace

Schedule::Schedule(forward::PagePool& pool, const ScheduleLimits& limits, PageStore* store,
                   std::optional<StateMoves> states)
    : pool_(&pool),
      limits_(limits),
      states_(std::move(states)),
      policy_(cost_, limits.step_seconds),
      tree_(
          pool, [this](u32 begin, u32 count) { return cost_.seconds_of_prompt(begin, count); },
          store, states_ ? std::optional(states_->count) : std::nullopt),
      has_store_(store && limits.prefix_cache) {}

void Schedule::add(Job& job) {
  policy_.join(job);
  waiting_.push_back(&job);
}

void Schedule::remove(Job& job) {
  policy_.leave(job);
  if (!job.runs()) {
    std::erase(waiting_, &job);
    return;
  }
  keep_text(job, true, true);
  pool_->close_sequence(job.sequence);
  job.sequence = Job::kNone;
  std::erase(running_, &job);
}

void Schedule::preempt(Job& job) {
  keep_text(job, true, true);
  pool_->close_sequence(job.sequence);
  job.sequence = Job::kNone;
  job.computed = 0;
  ++job.preemptions;
  ++preemptions_;
  std::erase(running_, &job);
  waiting_.push_back(&job);
}

void Schedule::keep_text(Job& job, bool tail, bool state) {
  if (!limits_.prefix_cache) return;
  const PrefixTree::Tokens text = PrefixTree::Tokens(*job.tokens).first(job.computed);
  const auto kept = tree_.insert(job.cache_key, text, job.sequence, tail, states_ && state);
  if (kept) states_->save(job.sequence, *kept);
}

// Where the job's prompt comes next to a place whose state is worth a copy; no such place: 0.
u32 Schedule::next_state(const Job& job) const {
  if (!states_ || !limits_.prefix_cache || job.computed >= job.prompt_count) return 0;
  const u32 last = (job.prompt_count - 1) / kPageTokens * kPageTokens;
  const u32 next = std::min((job.computed / kStateTokens + 1) * kStateTokens, last);
  return next > job.computed ? next : 0;
}

u32 Schedule::pages_for(u32 tokens) const { return divide_up(tokens, kPageTokens); }

// Pages that running requests will need for tokens that they know already.
u32 Schedule::pages_promised() const {
  u32 pages = 0;
  for (const Job* job : running_)
    pages += pages_for(job->known()) - u32(pool_->pages_of(job->sequence).size());
  return pages;
}

PrefixTree::Match Schedule::known_of(const Job& job) {
  // The last token is computed in any case, for its logits.
  return tree_.find(job.cache_key, *job.tokens, job.known() - 1, false);
}

PrefixTree::Stored Schedule::stored(const Job& job) const {
  if (!has_store_ || !job.takes_prefix) return {};
  return tree_.stored(job.cache_key, *job.tokens, job.known() - 1);
}

// Running requests come first: what they need already is not lent.
std::vector<u32> Schedule::borrow(u64 most) {
  const u64 promised = pages_promised() + running_.size() + 1;
  const u64 there = pool_->free() + pool_->idle();
  std::vector<u32> pages;
  while (pages.size() < most && pages.size() + promised < there) {
    const auto page = pool_->keep_new();
    if (page)
      pages.push_back(*page);
    else if (!tree_.evict())
      break;
  }
  return pages;
}

void Schedule::adopt(const std::string& cache_key, PrefixTree::Tokens tokens, u32 first,
                     std::span<const u32> good, std::span<const u32> bad) {
  tree_.adopt(cache_key, tokens, first, good);
  for (const u32 page : bad) pool_->drop(page);
}

// Whether a waiting job can begin without soon putting out another: its whole text has pages, and
// each running reply may still grow by one.
bool Schedule::room_for(Job& job) {
  if (running_.size() >= limits_.running_max) return false;
  if (running_.empty()) return true;
  PrefixTree::Match match;
  if (limits_.prefix_cache && job.takes_prefix) match = known_of(job);
  const u64 needed = pages_for(job.known()) - match.pages.size() + match.idle + pages_promised() +
                     running_.size() + 1;
  return pool_->free() + pool_->idle() >= needed;
}

void Schedule::take_prefix(Job& job) {
  PrefixTree::Match match =
      tree_.find(job.cache_key, *job.tokens, job.known() - 1, job.takes_prefix);
  if (!job.has_started) {
    job.parted_at = match.parted_at;
    job.cached_next = std::move(match.cached_next);
  }
  if (!job.takes_prefix) return;
  for (const u32 page : match.pages) pool_->share(job.sequence, page);
  job.computed = u32(match.pages.size()) * kPageTokens;
  if (match.partial && reserve(job, job.computed + match.partial_tokens)) {
    plan_.copies.push_back({*match.partial, pool_->pages_of(job.sequence).back()});
    job.computed += match.partial_tokens;
  }
  if (!match.state) return;
  if (job.computed == match.tokens()) return states_->load(*match.state, job.sequence);
  pool_->truncate(job.sequence, 0);  // no room for the tail, and only its end has a state
  job.computed = 0;
}

bool Schedule::start(Job& job) {
  if (!room_for(job)) return false;
  const auto sequence = pool_->open_sequence();
  if (!sequence) return false;
  job.sequence = *sequence;
  job.computed = 0;
  job.started_at = job.known();
  std::erase(waiting_, &job);
  running_.push_back(&job);
  plan_.started.push_back(&job);
  if (limits_.prefix_cache) take_prefix(job);
  if (!job.has_started) job.cached = job.computed;
  job.has_started = true;
  return true;
}

Job* Schedule::last_running() const {
  const auto last =
      std::max_element(running_.begin(), running_.end(),
                       [&](const Job* a, const Job* b) { return policy_.before(*a, *b); });
  return last == running_.end() ? nullptr : *last;
}

bool Schedule::reserve(Job& job, u32 length) {
  while (!pool_->reserve(job.sequence, length))
    if (!tree_.evict()) return false;
  return true;
}

// Puts out one running job where the policy wants it for the sake of one that waits.
void Schedule::make_way() {
  const auto first =
      std::min_element(waiting_.begin(), waiting_.end(),
                       [&](const Job* a, const Job* b) { return policy_.before(*a, *b); });
  if (first == waiting_.end() || running_.empty() || room_for(**first)) return;
  Job* last = last_running();
  if (policy_.makes_way(*last, **first)) preempt(*last);
}

const StepPlan& Schedule::plan() {
  plan_.runs.clear();
  plan_.copies.clear();
  plan_.started.clear();
  plan_.work = {};
  make_way();
  plan_replies();
  plan_prompts();
  // Prompts that were begun side by side may hold all pages with none left to go on.
  for (u64 tries = running_.size(); plan_.runs.empty() && tries > 0; --tries) {
    preempt(*last_running());
    plan_prompts();
  }
  return plan_;
}

void Schedule::plan_run(Job& job, u32 count) {
  plan_.runs.push_back({&job, job.computed, count});
  plan_.work.tokens += count;
  plan_.work.attended += u64(count) * job.computed + u64(count) * (count + 1) / 2;
  plan_.work.rows += job.wants_prompt_logits ? count : count == job.open();
}

// Those that come first are planned first, so that whoever is put out has not been planned yet.
void Schedule::plan_replies() {
  std::vector<Job*> replies;
  for (Job* job : running_)
    if (job->open() == 1) replies.push_back(job);
  std::sort(replies.begin(), replies.end(),
            [&](const Job* a, const Job* b) { return policy_.before(*a, *b); });
  for (Job* job : replies) {
    if (plan_.work.tokens == limits_.batch_tokens_max) return;
    while (job->runs() && !reserve(*job, job->known())) preempt(*last_running());
    if (job->runs()) plan_run(*job, 1);
  }
}

Job* Schedule::best_prompt(const std::vector<Job*>& tried, bool waiting_too) const {
  Job* best = nullptr;
  const auto consider = [&](Job* job) {
    if (best && !policy_.before(*job, *best)) return;
    if (std::find(tried.begin(), tried.end(), job) == tried.end()) best = job;
  };
  for (Job* job : running_)
    if (job->open() > 1) consider(job);
  if (waiting_too)
    for (Job* job : waiting_) consider(job);
  return best;
}

void Schedule::plan_prompts() {
  const u64 replies = plan_.runs.size();
  const f64 seconds = policy_.step_seconds(replies ? cost_.seconds(plan_.work) : 0);
  bool room = true;
  std::vector<Job*> tried;
  while (plan_.work.tokens < limits_.batch_tokens_max && plan_.work.rows < limits_.logit_rows_max) {
    Job* job = best_prompt(tried, room);
    if (!job) return;
    tried.push_back(job);
    // The first that finds no room keeps its place: no smaller one may slip past it for ever.
    if (!job->runs() && !start(*job)) {
      room = false;
      continue;
    }
    const bool first = plan_.runs.size() == replies;
    u32 count = policy_.chunk(plan_.work, job->computed, job->open(), seconds, largest_);
    // Prompts must go on, however long the replies alone take.
    if (count == 0 && first) count = std::min(job->open(), kPromptMin);
    if (count == 0) return;
    count = std::min(count, limits_.batch_tokens_max - plan_.work.tokens);
    if (job->wants_prompt_logits) count = std::min(count, limits_.logit_rows_max - plan_.work.rows);
    const u64 held = pool_->pages_of(job->sequence).size();
    const u64 positions = (held + pool_->free() + pool_->idle()) * kPageTokens;
    count = u32(std::min<u64>(count, positions - job->computed));
    if (const u32 next = next_state(*job)) count = std::min(count, next - job->computed);
    if (count == 0 || !reserve(*job, job->computed + count)) continue;
    plan_run(*job, count);
  }
}

void Schedule::completed(f64 seconds) {
  cost_.learn(plan_.work, seconds);
  largest_ = std::max(largest_, plan_.work.tokens);
  for (const auto& [job, begin, count] : plan_.runs) {
    const u32 state = next_state(*job);
    policy_.charge(*job, seconds * count / plan_.work.tokens);
    job->computed = begin + count;
    job->recomputed += std::min(job->computed, job->reached) - std::min(begin, job->reached);
    job->reached = std::max(job->reached, job->computed);
    if (job->computed / kPageTokens > begin / kPageTokens)
      keep_text(*job, false, state == job->computed);
  }
}

}  // namespace orrery::engine
