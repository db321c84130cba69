// run_program: the built program in a process of its own, and all that can be seen of it from
// outside: exit code or signal, both outputs, time, peak memory.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/types.h"
#include "support/temporary_folder.h"

namespace orrery::testing {

struct Outcome {
  int code = -1;   // exit code; -1 when it died of a signal or ran out of time
  int signal = 0;  // that ended it
  bool timed_out = false;
  std::string out, err;
  f64 seconds = 0;
  u64 memory_bytes = 0;  // peak resident set
};

struct Run {
  std::vector<std::string> arguments;
  std::string in;                        // stdin; a file, so never a terminal
  std::vector<std::string> environment;  // "NAME=value", beside the caller's
  std::string out_path;                  // where stdout goes instead of Outcome::out
  f64 seconds_max = 60;
};

namespace process_detail {
inline int open_or_die(const char* path, int flags) {
  const int file = ::open(path, flags, 0600);
  if (file < 0) ::_exit(126);
  return file;
}
}  // namespace process_detail

inline Outcome run_program(const Run& run) {
  using Clock = std::chrono::steady_clock;
  const TemporaryFolder folder;
  const std::string in = folder.write("in", run.in), err = folder.write("err", "");
  const std::string out = run.out_path.empty() ? folder.write("out", "") : run.out_path;
  std::vector<char*> arguments;
  std::string program = ORRERY_PROGRAM;
  arguments.push_back(program.data());
  std::vector<std::string> copies = run.arguments;
  for (std::string& argument : copies) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  const auto start = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    using process_detail::open_or_die;
    ::dup2(open_or_die(in.c_str(), O_RDONLY), 0);
    ::dup2(open_or_die(out.c_str(), O_WRONLY), 1);
    ::dup2(open_or_die(err.c_str(), O_WRONLY), 2);
    for (const std::string& variable : run.environment) {
      const std::size_t equals = variable.find('=');
      ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    }
    ::execv(program.c_str(), arguments.data());
    ::_exit(126);
  }
  Outcome outcome;
  int status = 0;
  rusage usage{};
  while (::wait4(child, &status, WNOHANG, &usage) == 0) {
    if (std::chrono::duration<f64>(Clock::now() - start).count() > run.seconds_max) {
      outcome.timed_out = true;
      ::kill(child, SIGKILL);
      ::wait4(child, &status, 0, &usage);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  outcome.seconds = std::chrono::duration<f64>(Clock::now() - start).count();
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  if (run.out_path.empty()) outcome.out = read_file(out);
  outcome.err = read_file(err);
  outcome.memory_bytes = u64(usage.ru_maxrss) * 1024;
  return outcome;
}

inline Outcome run_program(std::vector<std::string> arguments, std::string in = "") {
  return run_program(Run{std::move(arguments), std::move(in), {}, "", 60});
}

}  // namespace orrery::testing
