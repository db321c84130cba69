// Explorer: sessions that look into the running model: control by JSON, data by streams of frames.
//
// Three threads meet here. Requests come on the server's; whatever touches a run becomes a command
// for the engine's thread, which does one piece of work a call of go(), between the steps of other
// requests. A third sends frames, at most 60 times a second, to clients that have taken the last
// ones. So neither a viewer nor a slow one can hold up a token.
//
// How news travels. Everything that can be told is a frame in a session's Feed; a run's state is
// pushed by publish(), which follows every call that can change it: run, branch, pause, step,
// resume, stop, and each advance(). What wakes whom: command() and heavy() set a flag that the
// scheduler looks at under its lock before it sleeps; Feed::push(), a stream that comes or goes and
// a session that is closed ring the Bell; and after a look that found something, or where a stream
// is behind, the stream's thread looks again after one sixtieth of a second, rung or not.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "engine/scheduler.h"
#include "serve/endpoints.h"
#include "serve/explorer/session.h"

namespace orrery::serve {

class Explorer final : public engine::SideWork {
 public:
  explicit Explorer(engine::Engine& engine);
  ~Explorer() override;
  // Before the first request; the host must outlive it.
  void open(const ModelHost& host, std::string version);
  // Ends the streams; nothing new is taken.
  void close();

  [[nodiscard]] bool go(bool busy) override;

  [[nodiscard]] Checked<void> handle(const Request& request, const Answering& exchange);

 private:
  using SessionPointer = std::shared_ptr<Session>;
  using Command = std::function<void()>;
  struct Stream {
    SessionPointer session;
    Answering exchange;
    u64 cursor = 0;
    bool json = false, begun = false;
    std::shared_ptr<std::atomic<bool>> gone;
  };
  using Work = std::function<bool()>;  // one piece; true: there is more of it
  struct HeavyJob {
    Work work;
    std::chrono::steady_clock::time_point since;
  };

  // The endpoints. Those of POST get the body that passed its table.
  [[nodiscard]] Checked<void> post(std::string_view name, const Request& request,
                                   const Answering& exchange);
  [[nodiscard]] Checked<void> make_session(const Answering& exchange);
  [[nodiscard]] Checked<void> subscribe(const Json& body, const SessionPointer& session,
                                        const Answering& exchange);
  [[nodiscard]] Checked<void> run(const Json& body, const SessionPointer& session,
                                  const Answering& exchange);
  [[nodiscard]] Checked<void> move(std::string_view verb, const Json& body,
                                   const SessionPointer& session, const Answering& exchange);
  [[nodiscard]] Checked<void> branch(const Json& body, const SessionPointer& session,
                                     const Answering& exchange);
  [[nodiscard]] Checked<void> counterfactual(const Json& body, const SessionPointer& session,
                                             const Answering& exchange);
  [[nodiscard]] Checked<void> stream(const Request& request, const Answering& exchange);
  [[nodiscard]] Checked<void> state(const Request& request, const Answering& exchange);
  [[nodiscard]] Checked<void> tile(const Request& request, const Answering& exchange);
  [[nodiscard]] Checked<void> rows(const Request& request, const Answering& exchange);

  [[nodiscard]] Checked<SessionPointer> find_session(std::string_view id);
  [[nodiscard]] Json subscription_json(Session& session) const;
  [[nodiscard]] Json model_json() const;
  [[nodiscard]] Checked<Json> prompt_json(const std::vector<text::TokenId>& ids,
                                          const Json* messages) const;

  // The engine's thread.
  void command(Command work);
  // Work that an error answers for.
  void ask_engine(const Answering& exchange, std::function<Checked<void>()> work);
  void heavy(Work work);
  [[nodiscard]] bool advance_one();
  void advance(Session& session, u32 number, SessionRun& run);
  void publish(Session& session, u32 number, SessionRun& run);
  void look(Session& session, u32 number, SessionRun& run);
  [[nodiscard]] engine::WatchOptions options_of(Session& session) const;
  [[nodiscard]] engine::WatchedRun::OnStep sink(Session& session, u32 number);
  [[nodiscard]] Checked<void> make_room();
  [[nodiscard]] Checked<u32> add_run(Session& session, engine::RunRequest request, Json sampler);
  [[nodiscard]] Checked<u32> number_of(Session& session, const Json& body);
  void update_snapshot(Session& session);
  [[nodiscard]] Json state_json(Session& session);
  [[nodiscard]] std::vector<SessionPointer> all_sessions();
  [[nodiscard]] engine::StepWatcher& watcher();

  // The stream's thread.
  void pump();
  // Whether there is, or may soon be, more.
  [[nodiscard]] bool pump_one(Stream& stream);
  [[nodiscard]] bool pump_all();
  void take_arrivals();
  void drop_gone();
  void begin(Stream& stream, std::string& out);
  void tell_sys();
  [[nodiscard]] Json sys_json(Session& session);
  static void add(const Stream& stream, const Frame& frame, u64 sequence, std::string& out);

  engine::Engine& engine_;
  Bell bell_;  // before the sessions that ring it
  const ModelHost* host_ = nullptr;
  std::string version_;
  Json catalog_;
  std::string catalog_text_;
  u32 experts_max_ = 0;

  std::mutex mutex_;  // of what follows
  std::map<std::string, SessionPointer, std::less<>> sessions_;
  std::vector<Command> commands_;
  std::vector<HeavyJob> heavy_;
  engine::WatchCost cost_told_;

  // Engine's thread.
  std::unique_ptr<engine::StepWatcher> watcher_;
  engine::WatchCost cost_;
  u64 turn_ = 0, runs_begun_ = 0;

  std::mutex arrivals_mutex_;
  std::vector<Stream> arrivals_;
  std::vector<Stream> streams_;  // the stream's thread
  std::atomic<bool> closed_ = false;
  std::atomic<u32> pages_free_ = 0;
  std::atomic<u64> watcher_bytes_ = 0;
  std::thread pump_;
};

}  // namespace orrery::serve
