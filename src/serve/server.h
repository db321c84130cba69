// Server: HTTP/1.1 on one thread: takes connections, reads requests under limits, hands them to a
// Handler and writes what it answers.
//
// Requests of one connection are answered one after the other, so a client that sends many ahead
// gets them in order. Handlers that take time run on a second thread; no answer that streams waits
// for them. Not here: what a path means, TLS.
#pragma once

#include <memory>

#include "base/error.h"
#include "serve/guard.h"
#include "serve/http.h"

namespace orrery::serve {

struct ServerOptions {
  std::string host = "127.0.0.1";
  u16 port = 8080;  // 0: any free one
  GuardOptions guard;
  u64 body_bytes_max = u64(8) << 20;
  u64 bodies_bytes_max = u64(256) << 20;  // of all requests that are being read
  u32 header_bytes_max = 32 << 10;
  u32 connections_max = 4096;
  u64 backlog_bytes_max = u64(4) << 20;  // of a stream whose client does not read
  f64 header_seconds = 10;               // for a whole header, from its first byte
  f64 body_seconds = 60;
  f64 idle_seconds = 75;   // between two requests
  f64 write_seconds = 30;  // without any byte taken
  f64 drain_seconds = 30;
};

struct ServerStats {
  u64 connections = 0, connections_open = 0, requests = 0, refused = 0, timed_out = 0, left = 0;
};

class Server {
 public:
  // Listens; the handler must outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(const ServerOptions& options,
                                                              Handler& handler);
  ~Server();
  [[nodiscard]] u16 port() const;
  [[nodiscard]] std::string address() const;  // "http://127.0.0.1:8080"
  // Serves until SIGTERM or SIGINT has come and what was running has ended. A second one ends it
  // at once.
  void run();
  [[nodiscard]] ServerStats stats() const;

 private:
  class Core;
  explicit Server(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace orrery::serve
