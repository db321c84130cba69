// The streams of the Explorer: one thread that sends frames at the rate at which clients take them.
#include <algorithm>
#include <set>

#include "plan/memory.h"
#include "plan/system_file.h"
#include "serve/explorer/explorer.h"
#include "serve/explorer/query.h"

namespace orrery::serve {
namespace {

using Clock = std::chrono::steady_clock;

// As often as a screen draws.
constexpr std::chrono::milliseconds kFlush{16};
constexpr std::chrono::milliseconds kSys{500};
constexpr std::chrono::hours kIdle{1};  // without a stream
// Of one stream at once: what a client that stops reading leaves in memory is twice this.
constexpr u64 kPieceBytes = u64(256) << 10;
// Which part of the ring a viewer may lag behind before less is sent, level by level.
constexpr f64 kThinAt[] = {0.12, 0.25, 0.5, 0.75};

f64 steady_seconds() { return std::chrono::duration<f64>(Clock::now().time_since_epoch()).count(); }

u64 resident_bytes() {
  const auto text = plan::read_system_file("/proc/self/statm", 256);
  if (!text) return 0;
  const auto words = plan::split(*text, ' ');
  return words.size() < 2 ? 0 : plan::parse_u64(words[1]).value_or(0) * 4096;
}

}  // namespace

Checked<void> Explorer::stream(const Request& request, const Answering& exchange) {
  ASK(const Query query, Query::parse(request.query));
  ASK(const SessionPointer session, find_session(query.text("session")));
  ASK(const auto since, query.number("since"));
  const std::string format = query.text("format", "binary");
  if (format != "binary" && format != "ndjson")
    return refuse(400, "'format' must be binary or ndjson");
  if (session->streams >= kStreamsMax)
    return refuse(429, fmt::format("the session has {} streams already", kStreamsMax),
                  "close one of them", "too_many");
  ++session->streams;
  Stream stream{.session = session,
                .exchange = exchange,
                .cursor = since.value_or(0),
                .json = format == "ndjson",
                .gone = std::make_shared<std::atomic<bool>>(false)};
  exchange->on_gone([this, gone = stream.gone] {
    *gone = true;
    bell_.ring();
  });
  exchange->open(
      {.body = "",
       .content_type = stream.json ? "application/x-ndjson" : "application/octet-stream",
       .headers = {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}}});
  {
    const std::lock_guard lock(arrivals_mutex_);
    arrivals_.push_back(std::move(stream));
  }
  bell_.ring();
  if (closed_) exchange->close();  // the last look at arrivals may have been before
  return {};
}

void Explorer::add(const Stream& stream, const Frame& frame, u64 sequence, std::string& out) {
  if (stream.json)
    out += dump(to_json(frame, sequence)) + "\n";
  else
    add_bytes(frame, sequence, out);
}

// What a viewer needs before the frames that follow mean something.
void Explorer::begin(Stream& stream, std::string& out) {
  const auto replay = [&](Frame frame) {
    frame.flags |= kReplay;
    add(stream, frame, 0, out);
  };
  replay(json_frame(Channel::kCatalog, 0, 0, catalog_));
  const std::lock_guard lock(stream.session->mutex);
  if (!stream.session->kv_snapshot.is_null())
    replay(json_frame(Channel::kKv, 0, 0, stream.session->kv_snapshot));
  for (const auto& [run, status] : stream.session->run_status)
    replay(json_frame(Channel::kRun, run, 0, status));
}

bool Explorer::pump_one(Stream& stream) {
  if (stream.exchange->backlog() > 0) return true;
  std::string out;
  if (!stream.begun) begin(stream, out);
  stream.begun = true;
  Feed::Piece piece = stream.session->feed.read(stream.cursor, kPieceBytes);
  if (piece.lost_from != 0) {
    const Json gap = {{"from", piece.lost_from}, {"to", piece.lost_to}};
    add(stream, json_frame(Channel::kGap, 0, 0, gap), 0, out);
    const std::lock_guard lock(stream.session->mutex);
    Frame snapshot = json_frame(Channel::kKv, 0, 0, stream.session->kv_snapshot);
    snapshot.flags |= kReplay;
    if (!stream.session->kv_snapshot.is_null()) add(stream, snapshot, 0, out);
  }
  for (const auto& [sequence, frame] : piece.frames) add(stream, frame, sequence, out);
  stream.cursor = piece.cursor;
  const bool found = !out.empty();
  if (found) stream.exchange->write(std::move(out));
  return found;
}

void Explorer::take_arrivals() {
  const std::lock_guard lock(arrivals_mutex_);
  std::move(arrivals_.begin(), arrivals_.end(), std::back_inserter(streams_));
  arrivals_.clear();
}

void Explorer::drop_gone() {
  std::erase_if(streams_, [](Stream& stream) {
    if (stream.session->closed) stream.exchange->close();
    if (!*stream.gone && !stream.session->closed) return false;
    --stream.session->streams;
    stream.session->left_at = steady_seconds();
    stream.session->thin = 0;
    return true;
  });
}

bool Explorer::pump_all() {
  bool more = false;
  std::map<Session*, f64> lags;
  for (Stream& stream : streams_) {
    more |= pump_one(stream);
    f64& lag = lags[stream.session.get()];
    lag = std::max(lag, stream.session->feed.lag(stream.cursor));
  }
  for (const auto& [session, lag] : lags)
    session->thin =
        u32(std::upper_bound(std::begin(kThinAt), std::end(kThinAt), lag) - std::begin(kThinAt));
  return more;
}

// Once for each session that somebody looks at.
void Explorer::tell_sys() {
  std::set<Session*> told;
  for (const Stream& stream : streams_) {
    Session& session = *stream.session;
    bool wanted = told.insert(&session).second;
    {
      const std::lock_guard session_lock(session.mutex);
      wanted = wanted && (session.on & bit(Channel::kSys)) != 0;
    }
    if (wanted) session.feed.push(json_frame(Channel::kSys, 0, 0, sys_json(session)));
  }
}

void Explorer::pump() {
  Clock::time_point next_sys = Clock::now();
  while (!closed_) {
    const u64 seen = bell_.count();  // before the look, see Bell
    take_arrivals();
    drop_gone();
    if (!streams_.empty() && Clock::now() >= next_sys) {
      next_sys = Clock::now() + kSys;
      tell_sys();
    }
    if (pump_all())
      std::this_thread::sleep_for(kFlush);
    else
      bell_.wait(seen, streams_.empty() ? Clock::now() + kIdle : next_sys);
  }
  take_arrivals();
  for (Stream& stream : streams_) stream.exchange->close();
  streams_.clear();
}

Json Explorer::sys_json(Session& session) {
  engine::WatchCost cost;
  {
    const std::lock_guard lock(mutex_);
    cost = cost_told_;
  }
  const engine::SchedulerStats stats = host_->scheduler.stats();
  const forward::KvCache& cache = engine_.cache();
  const u64 pages = cache.tokens_max() / forward::kPageTokens;
  const u64 page_bytes = pages > 0 ? cache.page_bytes(0).size() : 0;
  const u64 weights = engine_.model().weights_bytes, scratch = engine_.scratch_bytes();
  const u64 kv_used = (pages - std::min<u64>(pages, pages_free_)) * page_bytes;
  const u64 explorer = watcher_bytes_ + session.feed.size_bytes();
  const u64 resident = resident_bytes(), known = weights + kv_used + scratch + explorer;
  u64 predicted = 0;  // from what the tensors' formats and shapes need
  for (const model::BoundTensor& tensor : engine_.model().tensors) predicted += tensor.packed_bytes;
  const u64 kv_predicted =
      cache.tokens_max() * plan::kv_bytes_per_token(engine_.model().spec, cache.format());
  const auto rate = [](f64 count, f64 seconds) {
    return seconds > 0 ? Json(count / seconds) : Json(nullptr);
  };
  return {{"resident_bytes", resident},
          {"weights_bytes", weights},
          {"kv_bytes", pages * page_bytes},
          {"kv_bytes_used", kv_used},
          {"scratch_bytes", scratch},
          {"explorer_bytes", explorer},
          {"other_bytes", resident > known ? resident - known : 0},
          {"predicted",
           {{"weights_bytes", predicted},
            {"kv_bytes", kv_predicted},
            {"scratch_bytes", scratch},
            {"total_bytes", predicted + kv_predicted + scratch}}},
          {"threads", engine_.thread_count()},
          {"running", stats.running},
          {"waiting", stats.waiting},
          {"observer",
           {{"forward_ms", 1000 * cost.forward},
            {"observer_ms", 1000 * cost.observer},
            {"share", cost.forward > 0 ? Json(cost.observer / cost.forward) : Json(nullptr)},
            {"thinned", cost.thinned},
            {"level", session.thin.load()}}},
          {"tokens_per_second", rate(f64(cost.tokens), cost.forward + cost.observer)},
          {"prefill_tokens_per_second", rate(f64(cost.prefill_tokens), cost.prefill_seconds)}};
}

}  // namespace orrery::serve
