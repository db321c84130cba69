// Terminal: the program in a terminal of its own, for tests that type and look at the screen.
#pragma once

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace orrery::testing {

class Terminal {
 public:
  explicit Terminal(std::vector<std::string> arguments, const std::filesystem::path& home) {
    winsize size{.ws_row = 40, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = ::forkpty(&file_, nullptr, nullptr, &size);
    if (child_ != 0) return;
    ::setenv("XDG_STATE_HOME", home.c_str(), 1);
    ::setenv("TERM", "xterm-256color", 1);
    ::unsetenv("NO_COLOR");
    std::vector<char*> pointers;
    std::string program = ORRERY_PROGRAM;
    pointers.push_back(program.data());
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execv(program.c_str(), pointers.data());
    ::_exit(126);
  }
  ~Terminal() {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
    ::close(file_);
  }
  void type(std::string_view keys) {
    EXPECT_EQ(::write(file_, keys.data(), keys.size()), ssize_t(keys.size()));
  }
  // Reads until the screen has shown `text` once more; false after 20 seconds.
  bool wait_for(std::string_view text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
      const std::size_t found = screen_.find(text, seen_);
      if (found != std::string::npos) return seen_ = found + text.size(), true;
      read_more();
    }
    ADD_FAILURE() << "no \"" << text << "\" in:\n" << screen_.substr(seen_);
    return false;
  }
  int wait_for_end() {
    int status = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (::waitpid(child_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > end) return -1;
      read_more();
    }
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
  }
  [[nodiscard]] const std::string& screen() const { return screen_; }

 private:
  void read_more() {
    timeval wait{.tv_sec = 0, .tv_usec = 20'000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(file_, &set);
    char part[4096];
    if (::select(file_ + 1, &set, nullptr, nullptr, &wait) != 1) return;
    const ssize_t n = ::read(file_, part, sizeof part);
    if (n > 0) screen_.append(part, std::size_t(n));
  }
  pid_t child_ = 0;
  int file_ = -1;
  std::string screen_;
  std::size_t seen_ = 0;
};

}  // namespace orrery::testing
