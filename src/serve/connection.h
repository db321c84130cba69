// Connection: one client's socket: reads requests, one after the other, and writes their answers.
//
// Internal to the room: only connection.cpp, answer.cpp and server.cpp know Boost. Everything here
// runs on the IO thread, but for the Exchange, whose calls are posted to it.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <mutex>
#include <unordered_set>

#include "serve/server.h"

namespace orrery::serve {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

class Connection;

// What other threads want of the IO thread, done there in the order in which it was asked for.
//
// asio::post() alone does not keep that order: what the IO thread itself posts waits until its
// present handler returns, and what another thread posts meanwhile overtakes it.
class Calls {
 public:
  explicit Calls(asio::io_context& io) : io_(io) {}
  void add(std::function<void()> call);

 private:
  void run();

  asio::io_context& io_;
  std::mutex mutex_;
  std::vector<std::function<void()>> waiting_;  // not empty: run() is on its way
};

// What all connections of a server share.
struct Hall {
  Hall(const ServerOptions& o, Handler& h) : options(o), guard(o.guard), handler(h) {}
  const ServerOptions options;
  const Guard guard;
  Handler& handler;
  std::unordered_set<Connection*> connections;
  u64 bodies_bytes = 0;            // that requests being read may still take
  bool closing = false;            // no further request of a connection is read
  ServerStats stats;               // of the IO thread
  std::array<char, 65'536> waste;  // where all put what nobody wants to know
  asio::io_context io{1};          // after what its coroutines use while they are taken down
  asio::thread_pool workers{1};
  Calls calls{io};  // hold answers, whose timers need `io`
};

// The answer of one request on its way: what handlers have said and the socket has not taken yet.
class Answer final : public Exchange, public std::enable_shared_from_this<Answer> {
 public:
  Answer(Hall& hall, bool head_only, bool keep_alive, bool chunked, std::vector<Header> headers);

  void respond(Response response) override;
  void open(Response head) override;
  void write(std::string piece) override;
  void close() override;
  [[nodiscard]] u64 backlog() const override { return posted_bytes_ + out_bytes_; }
  void on_gone(std::function<void()> call) override;
  void post(std::function<void()> call) override;

  // The IO thread's side.
  [[nodiscard]] asio::awaitable<void> changed();
  [[nodiscard]] std::string take() {
    out_bytes_ = 0;
    return std::exchange(out_, {});
  }
  [[nodiscard]] bool has_output() const { return !out_.empty(); }
  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] bool is_gone() const { return gone_; }
  [[nodiscard]] bool keeps_alive() const { return keep_alive_; }
  void leave();

 private:
  void add(std::string_view bytes);
  void add_head(const Response& response, bool whole);
  void add_piece(std::string_view piece);
  void wake() { timer_.cancel(); }

  Hall& hall_;
  bool head_only_, keep_alive_, chunked_;
  std::vector<Header> headers_;
  asio::steady_timer timer_;  // never fires: cancelling it wakes who waits
  std::string out_;
  std::atomic<u64> posted_bytes_ = 0, out_bytes_ = 0;  // for backlog()
  bool begun_ = false, complete_ = false, gone_ = false;
  std::function<void()> on_gone_;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Hall& hall, Tcp::socket socket);
  ~Connection();
  [[nodiscard]] asio::awaitable<void> run();
  void close();
  [[nodiscard]] bool is_idle() const { return idle_; }

 private:
  enum class Next : u8 { kRequest, kLinger, kClose };
  struct Head {
    Request request;
    bool chunked_answer = true, head_only = false, keep_alive = false;
  };

  [[nodiscard]] asio::awaitable<Next> serve_one();
  [[nodiscard]] asio::awaitable<bool> wait_for_request();
  [[nodiscard]] asio::awaitable<Next> refuse(const Head& head, u32 status, std::string message);
  [[nodiscard]] asio::awaitable<Next> read_body(Parser& parser, Head& head);
  [[nodiscard]] asio::awaitable<Next> answer(Head head);
  [[nodiscard]] asio::awaitable<bool> send(std::string bytes);
  [[nodiscard]] asio::awaitable<void> linger();
  [[nodiscard]] asio::awaitable<Next> broken(const Head& head, boost::system::error_code error);
  [[nodiscard]] std::optional<Refused> check(const Parser& parser, Head& head) const;
  void watch(std::shared_ptr<Answer> answer);
  void arm(f64 seconds);
  void disarm();

  Hall& hall_;
  Tcp::socket socket_;
  asio::steady_timer deadline_, poll_;
  u64 deadline_number_ = 0;
  boost::beast::flat_buffer buffer_;
  bool idle_ = true, first_ = true;
};

}  // namespace orrery::serve
