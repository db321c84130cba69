// Tests of Server and Exchange over a real socket: what handlers say on one thread and another
// arrives in the order in which it was said.
#include "serve/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

namespace orrery::serve {
namespace {

using Answering = std::shared_ptr<Exchange>;

// Answers each request with what the test says, on the IO thread itself.
class Quick final : public Handler {
 public:
  explicit Quick(std::function<void(const Answering&)> answer) : answer_(std::move(answer)) {}
  [[nodiscard]] bool is_quick(const Request&) const override { return true; }
  void handle(Request, Answering exchange) override { answer_(exchange); }
  [[nodiscard]] Response refusal(std::string_view, u32 status, std::string_view) const override {
    return {.status = status, .body = "refused", .headers = {}};
  }
  void drain(f64) override {}
  [[nodiscard]] bool drained() const override { return true; }

 private:
  std::function<void(const Answering&)> answer_;
};

// What a GET gives, until the server closes or five seconds have brought nothing.
std::string get(u16 port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string text;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string_view head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    if (send(fd, head.data(), head.size(), 0) == ssize_t(head.size())) {
      char part[4096];
      for (ssize_t got; (got = recv(fd, part, sizeof(part), 0)) > 0;) text.append(part, u64(got));
    }
  }
  close(fd);
  return text;
}

std::string answer_of(const std::function<void(const Answering&)>& answer) {
  Quick handler(answer);
  ServerOptions options;
  options.port = 0;
  options.guard.host = options.host;
  auto server = Server::listen(options, handler);
  if (!server) return server.error().message;
  std::thread serving([&] { (*server)->run(); });
  std::string text = get((*server)->port());
  (void)kill(getpid(), SIGTERM);  // the server has taken the signal over
  serving.join();
  return text;
}

// What the IO thread posts waits for the end of its handler. Pieces that another thread wrote in
// that time used to come before the head that was said first, and were thrown away.
TEST(Server, APieceOfAnotherThreadComesAfterTheHeadThatWasSaidBefore) {
  const std::string text = answer_of([](const Answering& exchange) {
    exchange->open({.body = "one ", .content_type = "text/plain", .headers = {}});
    std::thread([&] {
      exchange->write("two ");
      exchange->write("three");
    }).join();
    exchange->close();
  });
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text;
  EXPECT_TRUE(text.ends_with("\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n")) << text;
}

TEST(Server, CallsRunInTheOrderOfTheirPosts) {
  std::vector<u32> order;  // of the IO thread
  const std::string text = answer_of([&](const Answering& exchange) {
    exchange->post([&] { order.push_back(0); });
    std::thread([&] { exchange->post([&] { order.push_back(1); }); }).join();
    exchange->post([&] { order.push_back(2); });
    exchange->respond({.body = "done", .headers = {}});
  });
  EXPECT_TRUE(text.ends_with("done")) << text;
  EXPECT_EQ(order, (std::vector<u32>{0, 1, 2}));
}

// Bytes are owed from write() until the socket has taken them, whichever thread wrote.
TEST(Server, TheBacklogIsWhatWasWrittenAndNotTaken) {
  u64 before = 0, written = 0, sent = ~u64(0);
  std::thread later;
  const std::string text = answer_of([&](const Answering& exchange) {
    exchange->open({.body = "", .content_type = "text/plain", .headers = {}});
    before = exchange->backlog();
    exchange->write(std::string(1000, 'x'));
    written = exchange->backlog();
    later = std::thread([&sent, exchange] {
      for (u32 i = 0; i < 5000 && exchange->backlog() > 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      sent = exchange->backlog();
      exchange->close();
    });
  });
  later.join();
  EXPECT_EQ(before, 0u);
  EXPECT_EQ(written, 1000u);
  EXPECT_EQ(sent, 0u);
}

}  // namespace
}  // namespace orrery::serve
