// Answer: the Exchange of a connection: turns what handlers say into bytes of HTTP.
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "serve/connection.h"

namespace orrery::serve {
namespace {

std::string_view reason(u32 status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

// What may stand in a header: nothing that ends it.
std::string header_value(std::string_view value) {
  std::string out(value);
  for (char& c : out)
    if (u8(c) < 32 || c == 127) c = ' ';
  return out;
}

}  // namespace

void Calls::add(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(call));
  if (waiting_.size() == 1) asio::post(io_, [this] { run(); });
}

void Calls::run() {
  std::vector<std::function<void()>> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(waiting_);
  }
  for (const std::function<void()>& call : now) call();
}

Answer::Answer(Hall& hall, bool head_only, bool keep_alive, bool chunked,
               std::vector<Header> headers)
    : hall_(hall),
      head_only_(head_only),
      keep_alive_(keep_alive),
      chunked_(chunked),
      headers_(std::move(headers)),
      timer_(hall.io, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> Answer::changed() {
  timer_.expires_at(asio::steady_timer::time_point::max());
  (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

void Answer::post(std::function<void()> call) { hall_.calls.add(std::move(call)); }

void Answer::add(std::string_view bytes) {
  out_ += bytes;
  out_bytes_ = out_.size();
  wake();
}

void Answer::add_head(const Response& response, bool whole) {
  begun_ = true;
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
  if (!response.content_type.empty())
    head += fmt::format("Content-Type: {}\r\n", response.content_type);
  if (whole)
    head += fmt::format("Content-Length: {}\r\n", response.body.size());
  else if (chunked_)
    head += "Transfer-Encoding: chunked\r\n";
  else
    keep_alive_ = false;  // HTTP/1.0: the end of the connection ends the answer
  for (const std::vector<Header>* headers : {&response.headers, &std::as_const(headers_)})
    for (const Header& header : *headers)
      head += fmt::format("{}: {}\r\n", header.name, header_value(header.value));
  if (hall_.closing) keep_alive_ = false;
  head += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  add(head);
}

void Answer::add_piece(std::string_view piece) {
  if (piece.empty() || head_only_) return;
  if (out_.size() + piece.size() > hall_.options.backlog_bytes_max) return leave();
  add(chunked_ ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : std::string(piece));
}

void Answer::respond(Response response) {
  post([self = shared_from_this(), response = std::move(response)] {
    if (self->begun_ || self->gone_) return;
    self->add_head(response, true);
    if (!self->head_only_) self->add(response.body);
    self->complete_ = true;
    self->on_gone_ = nullptr;
    self->wake();
  });
}

void Answer::open(Response head) {
  post([self = shared_from_this(), head = std::move(head)] {
    if (self->begun_ || self->gone_) return;
    self->add_head(head, false);
    self->add_piece(head.body);
  });
}

void Answer::write(std::string piece) {
  posted_bytes_ += piece.size();
  post([self = shared_from_this(), piece = std::move(piece)] {
    if (self->begun_ && !self->complete_ && !self->gone_) self->add_piece(piece);
    self->posted_bytes_ -= piece.size();
  });
}

void Answer::close() {
  post([self = shared_from_this()] {
    if (!self->begun_ || self->complete_ || self->gone_) return;
    if (self->chunked_ && !self->head_only_) self->add("0\r\n\r\n");
    self->complete_ = true;
    self->on_gone_ = nullptr;
    self->wake();
  });
}

void Answer::on_gone(std::function<void()> call) {
  post([self = shared_from_this(), call = std::move(call)]() mutable {
    if (self->gone_)
      call();
    else if (!self->complete_)
      self->on_gone_ = std::move(call);
  });
}

void Answer::leave() {
  if (gone_ || complete_) return;
  gone_ = true;
  ++hall_.stats.left;
  out_.clear();
  if (auto call = std::exchange(on_gone_, nullptr)) call();
  wake();
}

}  // namespace orrery::serve
