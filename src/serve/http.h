// http: what a handler sees of HTTP: a Request with its whole body, and an Exchange that takes the
// answer, at once or piece by piece.
//
// Handlers know no socket and no HTTP library. An Exchange may be used from any thread and after
// its client has left (then nothing happens), so that whoever makes the answer need not care.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace orrery::serve {

struct Header {
  std::string name;  // of a Request: in lower case
  std::string value;
};

struct Request {
  std::string method, path, query;  // the path with its %XX decoded
  std::vector<Header> headers;
  std::string body;
  std::string owner;  // of the API key: who shares cached prefixes. Empty without keys

  // The first header of this (lower-case) name, or nothing.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const Header& header) { return header.name == name; });
    return found == headers.end() ? std::string_view() : std::string_view(found->value);
  }
  [[nodiscard]] u64 header_count(std::string_view name) const {
    return u64(std::count_if(headers.begin(), headers.end(),
                             [&](const Header& header) { return header.name == name; }));
  }
};

struct Response {
  u32 status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<Header> headers;
};

// One request's answer: respond() once, or open(), any number of write(), and close().
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void respond(Response response) = 0;
  virtual void open(Response head) = 0;  // its body is the first piece
  virtual void write(std::string piece) = 0;
  virtual void close() = 0;
  // Called once when the client has left before the answer was complete; at once if it has already.
  virtual void on_gone(std::function<void()> call) = 0;
  // Runs something on the thread that writes the answers, in the order of the calls.
  virtual void post(std::function<void()> call) = 0;
};

// What answers requests. Calls come from one thread at a time of each kind.
class Handler {
 public:
  virtual ~Handler() = default;
  // Whether handle() takes so little time that it may run between the writes of other answers.
  [[nodiscard]] virtual bool is_quick(const Request& request) const = 0;
  virtual void handle(Request request, std::shared_ptr<Exchange> exchange) = 0;
  // An error in the style of the API that this path belongs to.
  [[nodiscard]] virtual Response refusal(std::string_view path, u32 status,
                                         std::string_view message) const = 0;
  // From now on no work is taken; what runs has so many seconds.
  virtual void drain(f64 seconds) = 0;
  [[nodiscard]] virtual bool drained() const = 0;
};

}  // namespace orrery::serve
