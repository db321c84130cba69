#include "serve/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <chrono>

#include "serve/guard.h"

namespace orrery::serve {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// A client that gets its answer before it has sent everything would lose it in a reset; so what it
// still sends is read and thrown away, for so long and so much.
constexpr f64 kLingerSeconds = 3;
constexpr u64 kLingerBytes = u64(64) << 20;
// What is read beyond a header, or of the head of a chunk, before it is used.
constexpr u64 kReadAhead = 64 << 10;

std::chrono::steady_clock::duration duration(f64 seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<f64>(seconds));
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The text with its %XX decoded, or nothing where one is broken.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (u64 i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
    out += char(hex(text[i + 1]) * 16 + hex(text[i + 2]));
    i += 2;
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return out;
}

bool is_gone(int socket) {
  pollfd poll{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLERR | POLLHUP)) != 0;
}

}  // namespace

Connection::Connection(Hall& hall, Tcp::socket socket)
    : hall_(hall),
      socket_(std::move(socket)),
      deadline_(hall.io),
      poll_(hall.io),
      buffer_(hall.options.header_bytes_max + kReadAhead) {
  hall_.connections.insert(this);
  ++hall_.stats.connections;
}

Connection::~Connection() { hall_.connections.erase(this); }

void Connection::close() {
  error_code ignored;
  socket_.close(ignored);
  deadline_.cancel();
  poll_.cancel();
}

void Connection::arm(f64 seconds) {
  const u64 number = ++deadline_number_;
  deadline_.expires_after(duration(seconds));
  deadline_.async_wait([self = weak_from_this(), number](error_code error) {
    const auto connection = self.lock();
    if (error || !connection || connection->deadline_number_ != number) return;
    ++connection->hall_.stats.timed_out;
    connection->close();
  });
}

void Connection::disarm() {
  ++deadline_number_;
  deadline_.cancel();
}

asio::awaitable<void> Connection::run() {
  const auto self = shared_from_this();
  Next next = Next::kRequest;
  while (next == Next::kRequest && !hall_.closing) next = co_await serve_one();
  if (next == Next::kLinger) co_await linger();
  close();
}

// Waits for the first byte of a request. Stray empty lines before it do no harm (RFC 9112, 2.2).
asio::awaitable<bool> Connection::wait_for_request() {
  idle_ = true;
  arm(first_ ? hall_.options.header_seconds : hall_.options.idle_seconds);
  first_ = false;
  error_code error;
  if (buffer_.size() == 0) {
    buffer_.shrink_to_fit();
    std::tie(error) = co_await socket_.async_wait(Tcp::socket::wait_read, kTuple);
  }
  idle_ = false;
  co_return !error;
}

std::optional<Refused> Connection::check(const Parser& parser, Head& head) const {
  const auto& message = parser.get();
  Request& request = head.request;
  request.method = std::string(view(message.method_string()));
  for (const auto& field : message)
    request.headers.push_back({lower(view(field.name_string())), std::string(view(field.value()))});
  head.head_only = request.method == "HEAD";
  head.chunked_answer = message.version() == 11;
  head.keep_alive = parser.keep_alive();
  const std::string_view target = view(message.target());
  const u64 question = target.find('?');
  if (question != target.npos) request.query = std::string(target.substr(question + 1));
  const auto path = percent_decoded(target.substr(0, question));
  if (path) request.path = *path;
  if (message.version() != 11 && message.version() != 10)
    return Refused{505, "HTTP/1.1 is spoken here"};
  if (!path || !target.starts_with('/') || path->find('\0') != path->npos)
    return Refused{400, "the request's target is no path"};
  if (message.version() == 11 && request.header_count("host") != 1)
    return Refused{400, "there must be one Host header"};
  if (request.header_count("transfer-encoding") > 0 &&
      (lower(request.header("transfer-encoding")) != "chunked" || message.version() != 11))
    return Refused{400, "the only transfer encoding taken is chunked, in HTTP/1.1"};
  if (request.header_count("content-encoding") > 0 &&
      lower(request.header("content-encoding")) != "identity")
    return Refused{415, "a body with a content encoding is not taken"};
  if (const auto expect = request.header("expect"); !expect.empty())
    if (lower(expect) != "100-continue") return Refused{417, "only 100-continue can be expected"};
  return hall_.guard.check(request);
}

asio::awaitable<Connection::Next> Connection::serve_one() {
  if (!co_await wait_for_request()) co_return Next::kClose;
  arm(hall_.options.header_seconds);
  Parser parser;
  parser.header_limit(hall_.options.header_bytes_max);
  parser.body_limit(hall_.options.body_bytes_max);
  auto [error, bytes] = co_await http::async_read_header(socket_, buffer_, parser, kTuple);
  (void)bytes;
  Head head;
  if (!socket_.is_open()) co_return Next::kClose;
  ++hall_.stats.requests;
  std::optional<Refused> refused;
  if (parser.is_header_done()) refused = check(parser, head);
  if (error) co_return co_await broken(head, error);
  if (refused) co_return co_await refuse(head, refused->status, refused->message);
  if (head.request.method == "OPTIONS") {
    Response response{.status = 204, .body = "", .content_type = "", .headers = {}};
    response.headers.push_back({"Allow", "GET, HEAD, POST, OPTIONS"});
    head.keep_alive = head.keep_alive && parser.is_done();
    const auto done = std::make_shared<Answer>(hall_, true, head.keep_alive, true,
                                               hall_.guard.cors(head.request));
    done->respond(std::move(response));
    while (!done->is_complete()) co_await done->changed();
    const bool sent = co_await send(done->take());
    if (sent && head.keep_alive) co_return Next::kRequest;
    co_return Next::kLinger;
  }
  const Next next = co_await read_body(parser, head);
  if (next != Next::kRequest) co_return next;
  head.request.body = std::move(parser.get().body());
  co_return co_await answer(std::move(head));
}

asio::awaitable<Connection::Next> Connection::broken(const Head& head, error_code error) {
  if (error == http::error::end_of_stream || !socket_.is_open()) co_return Next::kClose;
  u32 status = 400;
  std::string message = fmt::format("this is not HTTP/1.1: {}", error.message());
  if (error == http::error::body_limit) {
    status = 413;
    message = fmt::format("the body is larger than {} bytes", hall_.options.body_bytes_max);
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    status = 431;
    message = fmt::format("the header is larger than {} bytes", hall_.options.header_bytes_max);
  } else if (error.category() != make_error_code(http::error::bad_value).category()) {
    co_return Next::kClose;  // the socket, not what came over it
  } else if (error == http::error::partial_message) {
    co_return Next::kClose;
  }
  co_return co_await refuse(head, status, std::move(message));
}

asio::awaitable<Connection::Next> Connection::refuse(const Head& head, u32 status,
                                                     std::string message) {
  ++hall_.stats.refused;
  const auto done =
      std::make_shared<Answer>(hall_, head.head_only, false, true, hall_.guard.cors(head.request));
  done->respond(hall_.handler.refusal(head.request.path, status, message));
  while (!done->is_complete()) co_await done->changed();
  (void)co_await send(done->take());
  co_return Next::kLinger;
}

asio::awaitable<Connection::Next> Connection::read_body(Parser& parser, Head& head) {
  if (parser.is_done()) co_return Next::kRequest;
  const u64 bytes =
      parser.content_length() ? *parser.content_length() : hall_.options.body_bytes_max;
  if (hall_.bodies_bytes + bytes > hall_.options.bodies_bytes_max)
    co_return co_await refuse(head, 429, "too many large requests are being read: try again");
  struct Lease {
    u64& total;
    u64 bytes;
    ~Lease() { total -= bytes; }
  } lease{hall_.bodies_bytes, bytes};
  hall_.bodies_bytes += bytes;
  if (!head.request.header("expect").empty())
    if (!co_await send("HTTP/1.1 100 Continue\r\n\r\n")) co_return Next::kClose;
  arm(hall_.options.body_seconds);
  auto [error, read] = co_await http::async_read(socket_, buffer_, parser, kTuple);
  (void)read;
  if (error) co_return co_await broken(head, error);
  co_return Next::kRequest;
}

asio::awaitable<bool> Connection::send(std::string bytes) {
  // In parts, so that the deadline is one for progress, not for the whole.
  constexpr u64 kPart = 256 << 10;
  for (u64 begin = 0; begin < bytes.size(); begin += kPart) {
    arm(hall_.options.write_seconds);
    const auto part = asio::buffer(bytes.data() + begin, std::min(kPart, bytes.size() - begin));
    auto [error, written] = co_await asio::async_write(socket_, part, kTuple);
    (void)written;
    if (error) co_return false;
  }
  disarm();
  co_return true;
}

// Sees the client leave while its answer is made. Where it has sent more already, no event of the
// socket tells; then it is asked now and then.
void Connection::watch(std::shared_ptr<Answer> answer) {
  if (answer->is_complete() || answer->is_gone() || !socket_.is_open()) return;
  const auto look = [self = weak_from_this(), answer](error_code error) {
    const auto connection = self.lock();
    if (!connection || answer->is_complete() || !connection->socket_.is_open()) return;
    if (error) return;
    if (is_gone(connection->socket_.native_handle())) return answer->leave();
    connection->poll_.expires_after(std::chrono::milliseconds(100));
    connection->poll_.async_wait([self, answer](error_code stopped) {
      if (const auto again = self.lock(); again && !stopped) again->watch(answer);
    });
  };
  if (buffer_.size() > 0 || is_gone(socket_.native_handle())) return look({});
  socket_.async_wait(Tcp::socket::wait_read, look);
}

asio::awaitable<Connection::Next> Connection::answer(Head head) {
  disarm();
  const auto answer = std::make_shared<Answer>(hall_, head.head_only, head.keep_alive,
                                               head.chunked_answer, hall_.guard.cors(head.request));
  Handler& handler = hall_.handler;
  if (handler.is_quick(head.request))
    handler.handle(std::move(head.request), answer);
  else
    asio::post(hall_.workers, [&handler, answer, request = std::move(head.request)]() mutable {
      handler.handle(std::move(request), answer);
    });
  watch(answer);
  while (true) {
    while (!answer->has_output() && !answer->is_complete() && !answer->is_gone())
      co_await answer->changed();
    if (answer->is_gone()) co_return Next::kClose;
    const bool complete = answer->is_complete();
    if (!co_await send(answer->take())) {
      answer->leave();
      co_return Next::kClose;
    }
    if (complete && !answer->has_output()) break;
  }
  poll_.cancel();
  error_code ignored;
  socket_.cancel(ignored);  // the watch
  co_return answer->keeps_alive() ? Next::kRequest : Next::kLinger;
}

asio::awaitable<void> Connection::linger() {
  error_code error;
  socket_.shutdown(Tcp::socket::shutdown_send, error);
  if (error) co_return;
  arm(kLingerSeconds);
  for (u64 total = 0; total < kLingerBytes;) {
    auto [failed, bytes] = co_await socket_.async_read_some(asio::buffer(hall_.waste), kTuple);
    if (failed) co_return;
    total += bytes;
  }
}

}  // namespace orrery::serve
