// The engine's side of the Explorer: commands, one piece of work a call, and what is told of it.
#include "serve/explorer/explorer.h"

#include <algorithm>

#include "serve/explorer/catalog.h"

namespace orrery::serve {
namespace {

using engine::RunState;
using engine::StepSeen;
using engine::WatchedRun;

// Live up to so many experts; more of them only on pause (docs/formats/feed.md).
constexpr u32 kLiveExpertsMax = 16;
// What is tried on copies waits so long for requests that are being served, then takes its turn.
constexpr std::chrono::seconds kPatience{2};

Json or_null(const std::optional<u32>& value) { return value ? Json(*value) : Json(nullptr); }
Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json status_json(u32 number, const SessionRun& r) {
  const WatchedRun& run = *r.run;
  const bool has_reply = run.reply_count() > 0;
  return {{"run", number},
          {"parent", or_null(r.parent)},
          {"position", or_null(r.position)},
          {"state", name(run.state())},
          {"done", std::min(run.computed(), run.prompt_count())},
          {"of", run.prompt_count()},
          {"length", run.tokens().size()},
          {"computed", run.computed()},
          {"prompt_tokens", run.prompt_count()},
          {"reply_tokens", run.reply_count()},
          {"finish", or_null(std::string(run.finish()))},
          {"error", or_null(run.error())},
          {"prompt_ms", has_reply ? Json(1000 * run.prompt_seconds()) : Json(nullptr)},
          {"reply_ms", has_reply ? Json(1000 * run.reply_seconds()) : Json(nullptr)},
          {"wall_ms", has_reply ? Json(1000 * run.wall_seconds()) : Json(nullptr)}};
}

// Frames of what is seen go to the session's feed, but for some channels.
WatchedRun::OnStep feed_of(Session& session, u32 number, u32 without) {
  u32 on = 0, bins = 0;
  {
    const std::lock_guard lock(session.mutex);
    on = session.on & ~without;
    bins = session.bins;
  }
  if (session.thin >= 2) bins = std::min(bins, 1024u);
  return [&session, number, on, bins](StepSeen&& seen) {
    for (Frame& frame : encode(seen, number, on, bins)) session.feed.push(std::move(frame));
  };
}

}  // namespace

Explorer::Explorer(engine::Engine& engine) : engine_(engine) {
  for (const model::LayerSpec& layer : engine.model().spec.layers)
    if (const auto* f = std::get_if<model::ExpertFfn>(&layer.ffn))
      experts_max_ = std::max(experts_max_, f->experts);
}

Explorer::~Explorer() { close(); }

void Explorer::open(const ModelHost& host, std::string version) {
  host_ = &host;
  version_ = std::move(version);
  catalog_ = catalog_json(host, version_);
  catalog_text_ = dump(catalog_);
  pages_free_ = engine_.cache().pages_free();
  pump_ = std::thread([this] { pump(); });
}

void Explorer::close() {
  closed_ = true;
  bell_.ring();
  if (pump_.joinable()) pump_.join();
}

engine::StepWatcher& Explorer::watcher() {
  if (!watcher_) {
    watcher_ = std::make_unique<engine::StepWatcher>(engine_);
    watcher_bytes_ = watcher_->memory_bytes();
  }
  return *watcher_;
}

std::vector<Explorer::SessionPointer> Explorer::all_sessions() {
  const std::lock_guard lock(mutex_);
  std::vector<SessionPointer> all;
  for (const auto& [id, session] : sessions_) all.push_back(session);
  return all;
}

void Explorer::command(Command work) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(work));
  }
  host_->scheduler.wake();
}

void Explorer::heavy(Work work) {
  {
    const std::lock_guard lock(mutex_);
    heavy_.push_back({std::move(work), std::chrono::steady_clock::now()});
  }
  host_->scheduler.wake();
}

void Explorer::ask_engine(const Answering& exchange, std::function<Checked<void>()> work) {
  command([exchange, work = std::move(work)] {
    if (auto done = work(); !done)
      exchange->respond(error_response(Style::kExplorer, done.error()));
  });
}

bool Explorer::go(bool busy) {
  std::vector<Command> commands;
  std::optional<HeavyJob> job;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (const Command& work : commands) work();
  const bool advanced = advance_one();
  {
    const std::lock_guard lock(mutex_);
    if (!heavy_.empty() && ((!busy && !advanced) ||
                            std::chrono::steady_clock::now() - heavy_.front().since > kPatience)) {
      job = std::move(heavy_.front());
      heavy_.erase(heavy_.begin());
    }
  }
  const bool goes_on = job && job->work();
  pages_free_ = engine_.cache().pages_free();
  const std::lock_guard lock(mutex_);
  if (goes_on) heavy_.insert(heavy_.begin(), std::move(*job));
  cost_told_ = cost_;
  return advanced || !heavy_.empty() || !commands_.empty();
}

// Runs take turns.
bool Explorer::advance_one() {
  struct Turn {
    SessionPointer session;
    u32 number;
  };
  std::vector<Turn> turns;
  for (const SessionPointer& session : all_sessions())
    for (const auto& [number, run] : session->runs)
      if (run.run->wants_to_run()) turns.push_back({session, number});
  if (turns.empty()) return false;
  const Turn& turn = turns[turn_++ % turns.size()];
  advance(*turn.session, turn.number, turn.session->runs.at(turn.number));
  return true;
}

engine::WatchOptions Explorer::options_of(Session& session) const {
  const std::lock_guard lock(session.mutex);
  const auto on = [&](Channel channel) { return (session.on & bit(channel)) != 0; };
  return {.token = on(Channel::kToken),
          .stat = on(Channel::kAttentionStat),
          .row = on(Channel::kAttentionRow),
          .top = on(Channel::kAttentionTopk),
          .route = on(Channel::kRoute),
          .route_full = on(Channel::kRouteFull) && experts_max_ <= kLiveExpertsMax,
          .kv = on(Channel::kKv),
          .residual = on(Channel::kResidual),
          .route_full_on_pause = on(Channel::kRouteFull),
          .pinned = session.pinned,
          .thin = session.thin};
}

WatchedRun::OnStep Explorer::sink(Session& session, u32 number) {
  return feed_of(session, number, 0);
}

void Explorer::advance(Session& session, u32 number, SessionRun& run) {
  run.run->advance(options_of(session), sink(session, number));
  publish(session, number, run);
}

// The experts of a token are told once, when it is computed.
void Explorer::look(Session& session, u32 number, SessionRun& run) {
  run.run->look(options_of(session), feed_of(session, number, bit(Channel::kRoute)));
}

// Tells of a change of state, and everything about the last token when the run comes to rest.
void Explorer::publish(Session& session, u32 number, SessionRun& run) {
  const WatchedRun& r = *run.run;
  const bool rests = r.state() == RunState::kPaused || r.state() == RunState::kEnded;
  // A step may begin and end between two looks: then only the length tells.
  const bool changed = r.state() != run.told || run.told_finish != r.finish() ||
                       (rests && r.computed() != run.told_computed);
  const bool reads_on = r.state() == RunState::kPrefill && r.computed() != run.told_computed;
  if (r.in_cache() && (changed || r.computed() % forward::kPageTokens == 0 || reads_on))
    update_snapshot(session);
  if (!changed && !reads_on) return;
  run.told = r.state();
  run.told_finish = r.finish();
  run.told_computed = r.computed();
  if (changed && rests && r.in_cache() && r.error().empty()) look(session, number, run);
  Json status = status_json(number, run);
  session.feed.push(json_frame(Channel::kRun, number, u32(r.tokens().size()) - 1, status));
  const std::lock_guard lock(session.mutex);
  session.run_status[number] = std::move(status);
}

void Explorer::update_snapshot(Session& session) {
  const forward::KvCache& cache = engine_.cache();
  Json groups = Json::array();
  u32 index = 0;
  for (const engine::KvGroup& g : engine::kv_groups(engine_.model().spec, cache.format()))
    groups.push_back({{"group", index++},
                      {"kind", g.kind},
                      {"layers", g.layers},
                      {"window", g.window},
                      {"chunk", g.chunk},
                      {"bytes_per_position", g.position_bytes},
                      {"expanded_bytes_per_position", g.expanded_position_bytes}});
  Json runs = Json::array();
  const u32 pages = u32(cache.tokens_max() / forward::kPageTokens);
  u64 mine = 0;
  for (const auto& [number, run] : session.runs) {
    if (!run.run->in_cache()) continue;
    const std::vector<u32>& held = cache.pages_of(run.run->sequence());
    mine += held.size();
    runs.push_back({{"run", number}, {"length", run.run->computed()}, {"pages", held}});
  }
  const u64 used = pages - cache.pages_free();
  Json snapshot = {{"page_tokens", forward::kPageTokens},
                   {"pages", pages},
                   {"pages_free", cache.pages_free()},
                   {"pages_cached", host_->scheduler.stats().pages_cached},
                   {"page_bytes", pages > 0 ? cache.page_bytes(0).size() : 0},
                   {"format", kernels::name(cache.format())},
                   {"groups", std::move(groups)},
                   {"runs", std::move(runs)},
                   {"other_pages", used > mine ? used - mine : 0}};
  const std::lock_guard lock(session.mutex);
  session.kv_snapshot = std::move(snapshot);
}

// Frees the pages of a run that has ended, of the oldest first, until a further one fits.
Checked<void> Explorer::make_room() {
  u32 in_cache = 0;
  SessionRun* oldest = nullptr;
  Session* of = nullptr;
  for (const SessionPointer& session : all_sessions())
    for (auto& [number, run] : session->runs) {
      if (!run.run->in_cache() && !run.run->wants_to_run()) continue;
      ++in_cache;
      if (run.run->state() == RunState::kEnded && (!oldest || run.order < oldest->order)) {
        oldest = &run;
        of = session.get();
      }
    }
  if (in_cache < kRunsInCache) return {};
  if (!oldest)
    return refuse(429, fmt::format("{} runs are going on or paused already", in_cache),
                  "stop one of them", "too_many");
  oldest->run->release();
  update_snapshot(*of);
  return {};
}

Checked<u32> Explorer::add_run(Session& session, engine::RunRequest request, Json sampler) {
  ASK_OK(make_room());
  while (session.runs.size() >= kRunsMax) {
    const auto ended = std::find_if(session.runs.begin(), session.runs.end(), [](const auto& one) {
      return one.second.run->state() == RunState::kEnded;
    });
    if (ended == session.runs.end())
      return refuse(429, fmt::format("the session has {} runs", kRunsMax), "stop one of them",
                    "too_many");
    session.runs.erase(ended);
  }
  const u32 number = ++session.last_run;
  SessionRun& run = session.runs[number];
  run.order = ++runs_begun_;
  run.run = std::make_unique<WatchedRun>(engine_, watcher(), cost_, std::move(request));
  run.sampler = std::move(sampler);
  run.told_finish = "none yet";  // so that its first state is told
  return number;
}

Checked<u32> Explorer::number_of(Session& session, const Json& body) {
  const auto given = FieldReader(body).integer("run");
  const u32 number = given ? u32(*given) : session.last_run;
  if (session.runs.contains(number)) return number;
  return refuse(404, fmt::format("there is no run {} in this session", number),
                "GET /explorer/state lists the runs", "no_such_run");
}

Json Explorer::state_json(Session& session) {
  Json runs = Json::array();
  for (const auto& [number, run] : session.runs) {
    Json one = status_json(number, run);
    one["seed"] = run.run->request().sampler.seed;
    one["sampler"] = run.sampler;
    one["in_cache"] = run.run->in_cache();
    one["tokens"] = run.run->tokens();
    runs.push_back(std::move(one));
  }
  Json state = subscription_json(session);
  state["model"] = model_json();
  state["runs"] = std::move(runs);
  state["next_sequence"] = session.feed.newest() + 1;
  return state;
}

}  // namespace orrery::serve
