#include "serve/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>

#include "serve/connection.h"

namespace orrery::serve {
namespace {

using boost::system::error_code;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// Each connection is a file; the soft limit of many systems is 1,024 of them.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

class Server::Core {
 public:
  Core(const ServerOptions& options, Handler& handler)
      : hall_(options, handler), acceptor_(hall_.io), signals_(hall_.io), drain_timer_(hall_.io) {}
  ~Core() {
    hall_.workers.join();
    for (Connection* connection : hall_.connections) connection->close();
    hall_.io.restart();
    hall_.io.poll();  // lets the coroutines end, which know the hall
  }

  Result<void> listen() {
    raise_file_limit();
    error_code error;
    Tcp::resolver resolver(hall_.io);
    const auto found = resolver.resolve(hall_.options.host, std::to_string(hall_.options.port),
                                        Tcp::resolver::passive, error);
    if (error || found.empty())
      return fail("cannot find the address {}: {}", hall_.options.host, error.message());
    const Tcp::endpoint endpoint = *found.begin();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(1024, error);
    if (error)
      return fail("cannot listen on {} port {}: {}", hall_.options.host, hall_.options.port,
                  error.message());
    const auto address = endpoint.address();
    const u16 port = acceptor_.local_endpoint(error).port();
    address_ = address.is_v6() ? fmt::format("http://[{}]:{}", address.to_string(), port)
                               : fmt::format("http://{}:{}", address.to_string(), port);
    port_ = port;
    return {};
  }

  void run() {
    for (const int signal : {SIGTERM, SIGINT}) {
      error_code ignored;
      signals_.add(signal, ignored);
    }
    wait_for_signal();
    asio::co_spawn(hall_.io, accept(), asio::detached);
    hall_.io.run();
    hall_.workers.stop();  // what still waits there would ask a handler that may be gone
    hall_.workers.join();
  }

  u16 port_ = 0;
  std::string address_;
  [[nodiscard]] ServerStats stats() const {
    ServerStats stats = hall_.stats;
    stats.connections_open = hall_.connections.size();
    return stats;
  }

 private:
  asio::awaitable<void> accept() {
    while (acceptor_.is_open()) {
      Tcp::socket socket(hall_.io);
      auto [error] = co_await acceptor_.async_accept(socket, kTuple);
      if (error == asio::error::operation_aborted) break;
      if (error) {  // no more file descriptors, perhaps: others will close
        asio::steady_timer pause(hall_.io, std::chrono::milliseconds(50));
        (void)co_await pause.async_wait(kTuple);
        continue;
      }
      if (hall_.connections.size() >= hall_.options.connections_max) continue;  // closes it
      socket.set_option(Tcp::no_delay(true), error);
      const auto connection = std::make_shared<Connection>(hall_, std::move(socket));
      asio::co_spawn(hall_.io, connection->run(), [connection](const std::exception_ptr& thrown) {
        if (thrown) connection->close();
      });
    }
  }

  void wait_for_signal() {
    signals_.async_wait([this](error_code error, int) {
      if (error) return;
      if (draining_) return hall_.io.stop();
      draining_ = true;
      hall_.handler.drain(hall_.options.drain_seconds);
      // Answers need a moment to go out after the last token was made.
      drain_end_ = std::chrono::steady_clock::now() +
                   std::chrono::milliseconds(i64(1000 * hall_.options.drain_seconds) + 2000);
      wait_for_signal();
      wait_drained();
    });
  }

  void wait_drained() {
    bool busy = !hall_.handler.drained();
    if (!busy) {
      hall_.closing = true;
      error_code ignored;
      acceptor_.close(ignored);
      const auto connections = hall_.connections;
      for (Connection* connection : connections)
        connection->is_idle() ? connection->close() : void(busy = true);
    }
    if (!busy || std::chrono::steady_clock::now() > drain_end_) return hall_.io.stop();
    drain_timer_.expires_after(std::chrono::milliseconds(50));
    drain_timer_.async_wait([this](error_code) { wait_drained(); });
  }

  Hall hall_;
  Tcp::acceptor acceptor_;
  asio::signal_set signals_;
  asio::steady_timer drain_timer_;
  bool draining_ = false;
  std::chrono::steady_clock::time_point drain_end_;
};

Server::Server(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options, Handler& handler) {
  if (!is_loopback(options.host) && options.guard.keys.empty())
    return fail(
        "{} can be reached from other machines, so an API key is needed: give --api-key-file, or "
        "stay on 127.0.0.1",
        options.host);
  auto core = std::make_unique<Core>(options, handler);
  CHECK_OK(core->listen());
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

u16 Server::port() const { return core_->port_; }
std::string Server::address() const { return core_->address_; }
void Server::run() { core_->run(); }
ServerStats Server::stats() const { return core_->stats(); }

}  // namespace orrery::serve
