// The schedule under a clock of its own: random requests, a made-up machine, laws at every step.
#include "engine/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>
#include <random>

namespace orrery::engine {
namespace {

using forward::kPageTokens;
using forward::PagePool;
using text::TokenId;

// What stands in a place of a page: the number of the text up to and including its token.
u64 chain(u64 before, TokenId token) {
  u64 z = before * 0x9e3779b97f4a7c15 + u64(u32(token)) + 0x632be59bd9b4e019;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  return z ^ z >> 27;
}

// Pages beyond memory: what was offered, until it is forgotten by chance.
class Attic final : public PageStore {
 public:
  using Page = std::array<u64, kPageTokens>;
  Attic(const std::vector<u64>& content, std::mt19937_64& random)
      : content_(&content), random_(&random) {}
  const std::string& identity() const override { return identity_; }
  bool has(const PageName& name) const override { return pages_.contains(name); }
  void offer(const PageName& name, u32 page) override {
    if ((*random_)() % 4 == 0) return;  // no room just now
    std::copy_n(content_->begin() + i64(page) * kPageTokens, kPageTokens, pages_[name].begin());
  }
  // Null: it is gone by now.
  const Page* find(const PageName& name) {
    if ((*random_)() % 16 == 0) pages_.erase(name);
    const auto found = pages_.find(name);
    return found == pages_.end() ? nullptr : &found->second;
  }

 private:
  std::string identity_ = "simulation";
  const std::vector<u64>* content_;
  std::mt19937_64* random_;
  std::map<PageName, Page> pages_;
};

struct Request : Job {
  std::vector<TokenId> text;
  u64 secret = 0;  // of the cache key: where chains begin, so that keys never agree
  u32 reply_tokens = 0, chosen = 0;
  f64 started = -1;
  f64 leaves = INFINITY;  // when its client goes away
  bool ended = false, loading = false;
  u64 step = 0;       // when it last ran
  u32 checked = ~0u;  // preemptions when its pages were last looked at
};

struct World {
  u32 pages = 100, sequences = 8, requests = 1000, owners = 4, prompt_max = 700, reply_max = 60;
  f64 load = 1.0;         // of arrivals, in parts of what the machine can do
  f64 leave_share = 0.1;  // of clients that go away early
  i32 priorities = 2;
  bool prefix_cache = true, attic = false;
  std::optional<u32> states = {};  // copies of states, of a model that has some
};

class Simulation {
 public:
  Simulation(const World& world, u64 seed)
      : world_(world),
        random_(seed),
        pool_(world.pages, world.sequences),
        content_(u64(world.pages) * kPageTokens),
        attic_(content_, random_),
        schedule_(pool_,
                  {.running_max = world.sequences,
                   .batch_tokens_max = 256,
                   .logit_rows_max = world.sequences,
                   .prefix_cache = world.prefix_cache},
                  world.attic && !world.states ? &attic_ : nullptr, moves()) {
    states_.resize(world.sequences);
    kept_.resize(world.states.value_or(0));
    for (u32 i = 0; i < 12; ++i) {
      shared_.emplace_back();
      for (u32 n = number(0, world.prompt_max); n > 0; --n)
        shared_.back().push_back(TokenId(number(0, 50)));
    }
  }

  // False: a law was broken, of which law() tells.
  bool run() {
    f64 next_arrival = 0;
    u32 made = 0;
    while (law_.empty() && (made < world_.requests || !present_.empty())) {
      while (made < world_.requests && next_arrival <= now_) {
        arrive(made++);
        next_arrival += std::exponential_distribution<f64>(world_.load / kMeanSeconds)(random_);
      }
      leave();
      take_loaded();
      if (schedule_.idle() && !loads_.empty()) {
        now_ = std::max(now_, loads_.front().ready);
        continue;
      }
      if (schedule_.idle()) {
        now_ = std::max(now_, next_arrival);
        continue;
      }
      step();
      check_step();
    }
    if (law_.empty() && ended_ != world_.requests) broken("a request did not end");
    if (law_.empty() && pool_.free() + pool_.idle() != pool_.count()) broken("pages are lost");
    if (law_.empty() && pool_.sequences_open() != 0) broken("a sequence is left open");
    return law_.empty();
  }
  const std::string& law() const { return law_; }
  u64 steps() const { return steps_; }
  u64 cached() const { return cached_; }
  u64 read() const { return read_; }  // pages from the attic
  u64 preemptions() const { return schedule_.preemptions(); }
  const std::vector<f64>& waits_of_priority(i32 p) { return waits_by_priority_[p]; }

 private:
  struct Load {
    Request* request;  // null: it has left
    std::string cache_key;
    std::vector<TokenId> text;
    u32 first;
    std::vector<u32> pages;
    u64 good;
    f64 ready;
  };
  static constexpr f64 kMeanSeconds = 0.2;  // about what a request takes of the machine alone

  // The state of a sequence is the number of its text so far.
  std::optional<StateMoves> moves() {
    if (!world_.states) return std::nullopt;
    return StateMoves{.count = *world_.states,
                      .save = [this](u32 sequence, u32 kept) { kept_[kept] = states_[sequence]; },
                      .load = [this](u32 kept, u32 sequence) { states_[sequence] = kept_[kept]; }};
  }

  u32 number(u32 least, u32 most) {
    return std::uniform_int_distribution<u32>(least, most)(random_);
  }
  void broken(const std::string& law) {
    if (law_.empty()) law_ = law;
  }

  void arrive(u32 index) {
    auto request = std::make_unique<Request>();
    Request& r = *request;
    r.id = index;
    const u32 owner = number(0, world_.owners - 1);
    r.owner = std::to_string(owner);
    r.cache_key = r.owner;
    r.secret = owner + 1;
    r.priority = i32(number(0, u32(world_.priorities) - 1));
    r.arrival = now_;
    if (number(0, 2) > 0) {
      r.text = shared_[number(0, u32(shared_.size()) - 1)];
      if (number(0, 1)) r.text.resize(number(0, u32(r.text.size())));
    }
    for (u32 n = number(1, number(1, world_.prompt_max)); n > 0; --n)
      r.text.push_back(TokenId(number(0, 50)));
    const u32 most = world_.pages * kPageTokens - world_.reply_max - 1;
    if (r.text.size() > most) r.text.resize(most);
    r.prompt_count = u32(r.text.size());
    r.reply_tokens = number(1, world_.reply_max);
    r.tokens = &r.text;
    if (number(0, 999) < 1000 * world_.leave_share)
      r.leaves = now_ + number(0, 1000) / 1000.0 * number(0, 10);
    if (!load(r)) schedule_.add(r);
    present_.push_back(std::move(request));
  }

  // Reading takes a while, in which anything may happen.
  bool load(Request& r) {
    PrefixTree::Stored stored = schedule_.stored(r);
    Load load{&r, r.cache_key, r.text, stored.first, schedule_.borrow(stored.names.size()), 0, 0};
    if (load.pages.empty()) return false;
    for (; load.good < load.pages.size(); ++load.good) {
      const auto* page = attic_.find(stored.names[load.good]);
      if (!page) break;
      std::copy(page->begin(), page->end(),
                content_.begin() + i64(load.pages[load.good]) * kPageTokens);
    }
    load.ready = now_ + number(0, 200) / 1000.0;
    read_ += load.good;
    r.loading = true;
    loads_.push_back(std::move(load));
    return true;
  }
  void take_loaded() {
    for (; !loads_.empty() && loads_.front().ready <= now_; loads_.pop_front()) {
      const Load& load = loads_.front();
      const std::span<const u32> pages(load.pages);
      schedule_.adopt(load.cache_key, load.text, load.first, pages.first(load.good),
                      pages.subspan(load.good));
      if (!load.request) continue;  // it has left meanwhile
      load.request->loading = false;
      schedule_.add(*load.request);
    }
  }

  void end(Request& r) {
    if (r.ended) broken("a request ended twice");
    r.ended = true;
    ++ended_;
    if (r.runs()) check_text(r, r.computed);
    if (!r.loading) return schedule_.remove(r);
    for (Load& load : loads_)
      if (load.request == &r) load.request = nullptr;
  }
  void forget_ended() {
    std::erase_if(present_, [](const auto& r) { return r->ended; });
  }

  void leave() {
    bool any = false;
    for (const auto& r : present_)
      if (r->leaves <= now_) {
        end(*r);
        any = true;
      }
    if (any) forget_ended();
  }

  // The machine: a constant, something for each token and key, and noise.
  f64 seconds_of(const StepWork& work) {
    const f64 exact = 0.004 + 0.0003 * work.tokens + 0.0002 * work.rows + 2e-9 * f64(work.attended);
    return exact * std::uniform_real_distribution<f64>(0.9, 1.15)(random_);
  }

  u64& place(const Request& r, u32 position) {
    const u32 page = pool_.page(r.sequence, position / kPageTokens);
    return content_[u64(page) * kPageTokens + position % kPageTokens];
  }
  // The pages of a running request hold its own text up to here.
  void check_text(const Request& r, u32 end) {
    u64 text = r.secret;
    for (u32 i = 0; i < end; ++i) {
      text = chain(text, r.text[i]);
      if (place(r, i) != text) return broken("a page holds another text");
    }
  }

  void step() {
    const StepPlan& plan = schedule_.plan();
    ++steps_;
    for (const auto& [from, to] : plan.copies)
      for (u32 i = 0; i < kPageTokens; ++i)
        content_[u64(to) * kPageTokens + i] = content_[u64(from) * kPageTokens + i];
    if (plan.runs.empty() && !loads_.empty()) {  // what is lent to them is wanted first
      now_ = std::max(now_, loads_.front().ready);
      return;
    }
    if (plan.runs.empty()) return broken("nothing runs, though requests are there");
    if (plan.work.tokens > 256) broken("too many tokens");
    for (Job* job : plan.started) {
      auto& r = static_cast<Request&>(*job);
      if (r.started >= 0 || !r.runs()) continue;
      r.started = now_;
      cached_ += r.cached;
      const f64 wait = now_ - r.arrival;
      waits_by_priority_[r.priority].push_back(wait);
    }
    u32 rows = 0;
    for (const auto& [job, begin, count] : plan.runs) {
      auto& r = static_cast<Request&>(*job);
      if (r.ended || !r.runs() || count == 0 || begin != r.computed || count > r.open())
        return broken("a run that cannot be");
      if (r.step == steps_) return broken("a request runs twice in a step");
      r.step = steps_;
      rows += begin + count == r.known();
      if (r.checked != r.preemptions) check_text(r, begin);  // what came from the cache
      r.checked = r.preemptions;
      u64 text = begin == 0 ? r.secret : place(r, begin - 1);
      if (world_.states && begin > 0 && states_[r.sequence] != text)
        return broken("a state of another place");
      for (u32 i = begin; i < begin + count; ++i) {
        if (pool_.users(pool_.page(r.sequence, i / kPageTokens)) != 1 ||
            pool_.kept(pool_.page(r.sequence, i / kPageTokens)))
          return broken("a shared page is written");
        text = chain(text, r.text[i]);
        place(r, i) = text;
      }
      states_[r.sequence] = text;
    }
    if (rows > world_.sequences || rows != plan.work.rows) broken("too many rows");
    const f64 seconds = seconds_of(plan.work);
    now_ += seconds;
    const auto runs = plan.runs;
    schedule_.completed(seconds);
    bool any = false;
    for (const auto& [job, begin, count] : runs) {
      auto& r = static_cast<Request&>(*job);
      if (begin + count != r.known()) continue;
      if (++r.chosen == r.reply_tokens) {
        end(r);
        any = true;
      } else {
        r.text.push_back(TokenId(number(0, 50)));
      }
    }
    if (any) forget_ended();
  }

  // Every page is in exactly one place: free, or used as often as tables name it, or kept.
  void check_step() {
    std::vector<u32> uses(pool_.count());
    for (const Job* job : schedule_.running())
      for (const u32 page : pool_.pages_of(job->sequence)) ++uses[page];
    u32 kept = 0, taken = 0;
    for (u32 page = 0; page < pool_.count(); ++page) {
      if (uses[page] != pool_.users(page)) return broken("a page's users are miscounted");
      kept += pool_.kept(page);
      taken += pool_.kept(page) || uses[page];
    }
    if (taken + pool_.free() != pool_.count()) broken("pages are not conserved");
    u64 borrowed = 0;
    for (const Load& load : loads_) borrowed += load.pages.size();
    if (kept != schedule_.tree().size() + borrowed) broken("the tree and the pool disagree");
    if (schedule_.running().size() > world_.sequences) broken("too many run");
  }

  World world_;
  std::mt19937_64 random_;
  PagePool pool_;
  std::vector<u64> content_, states_, kept_;
  Attic attic_;
  Schedule schedule_;
  std::deque<Load> loads_;
  std::vector<std::vector<TokenId>> shared_;
  std::vector<std::unique_ptr<Request>> present_;
  std::map<i32, std::vector<f64>> waits_by_priority_;
  std::string law_;
  f64 now_ = 0;
  u64 steps_ = 0, cached_ = 0, read_ = 0;
  u32 ended_ = 0;
};

// The world of a seed: small and large, idle and overrun, with and without a cache.
World world_of(u64 seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::vector<u32> of) { return of[random() % of.size()]; };
  World world;
  world.pages = pick({20, 30, 60, 200});
  world.sequences = pick({1, 3, 8, 16});
  world.owners = pick({1, 2, 5});
  world.prompt_max = pick({10, 200, 500});
  world.reply_max = pick({1, 10, 40, 100});
  world.load = pick({1, 2, 8}) * 0.5;
  world.prefix_cache = pick({0, 1, 1, 1});
  world.attic = pick({0, 1});
  if (random() % 4 == 0) world.states = pick({0, 1, 5, 40});
  return world;
}

TEST(Schedule, LawsHoldOfAHundredThousandRequests) {
  const std::clock_t begin = std::clock();
  u64 requests = 0, steps = 0, preemptions = 0, cached = 0, read = 0;
  // ORRERY_SEED=N runs the world of one seed again.
  const char* chosen = std::getenv("ORRERY_SEED");
  const u64 first = chosen ? std::strtoull(chosen, nullptr, 10) : 1;
  for (u64 seed = first; seed < first + (chosen ? 1 : 100); ++seed) {
    const World world = world_of(seed);
    Simulation simulation(world, seed);
    ASSERT_TRUE(simulation.run()) << "seed " << seed << ", step " << simulation.steps() << ": "
                                  << simulation.law() << " (again: ORRERY_SEED=" << seed << ")";
    requests += world.requests;
    steps += simulation.steps();
    preemptions += simulation.preemptions();
    cached += simulation.cached();
    read += simulation.read();
  }
  std::printf("%lu requests, %lu steps, %lu preemptions, %lu tokens cached, %lu pages read\n",
              requests, steps, preemptions, cached, read);
  if (chosen) return;
  EXPECT_EQ(requests, 100000u);
  EXPECT_GT(preemptions, 1000u);
  EXPECT_GT(cached, 100000u);
  EXPECT_GT(read, 1000u);
  // Of this thread's own time: a machine that others use, too, must not fail it.
  EXPECT_LT(f64(std::clock() - begin) / CLOCKS_PER_SEC, 20);
}

f64 mean(const std::vector<f64>& of) {
  f64 sum = 0;
  for (const f64 one : of) sum += one;
  return of.empty() ? 0 : sum / f64(of.size());
}

TEST(Schedule, GreaterPriorityWaitsLess) {
  World world;
  world.load = 2;
  world.requests = 2000;
  Simulation simulation(world, 1);
  ASSERT_TRUE(simulation.run()) << simulation.law();
  EXPECT_LT(mean(simulation.waits_of_priority(1)), mean(simulation.waits_of_priority(0)) / 4);
}

}  // namespace
}  // namespace orrery::engine
