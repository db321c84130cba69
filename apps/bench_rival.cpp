#include "apps/bench_rival.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "apps/files.h"

namespace orrery::apps {
namespace {

constexpr f64 kSecondsMax = 1800;
constexpr std::size_t kOutputMax = 1 << 20;

// A file without a name: what a child writes there is read when it has ended.
class Capture {
 public:
  Capture() : file_(std::tmpfile()) {}
  ~Capture() {
    if (file_) std::fclose(file_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  [[nodiscard]] bool ok() const { return file_ != nullptr; }
  [[nodiscard]] int descriptor() const { return ::fileno(file_); }
  [[nodiscard]] std::string text() const {
    std::string all(kOutputMax, '\0');
    std::rewind(file_);
    all.resize(std::fread(all.data(), 1, all.size(), file_));
    return all;
  }

 private:
  std::FILE* file_;
};

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of("\n ");
  if (end == std::string::npos) return "no message";
  const std::size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     std::min<std::size_t>(end - begin, 200));
}

// stdout of a program that ends well.
Result<std::string> output_of(std::vector<std::string> words) {
  const Capture out, err;
  if (!out.ok() || !err.ok()) return fail("no temporary file for what it prints");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.descriptor(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err.descriptor(), 2);
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, words[0].c_str(), &actions, nullptr, arguments.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed) return fail("cannot be started: {}", std::strerror(failed));
  int status = 0;
  const auto start = std::chrono::steady_clock::now();
  while (::waitpid(child, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (std::chrono::duration<f64>(std::chrono::steady_clock::now() - start).count() < kSecondsMax)
      continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return fail("took more than {:.0f} s", kSecondsMax);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail("ended badly: {}", last_line(err.text()));
  return out.text();
}

}  // namespace

Result<std::string> rival_program(const std::string& against) {
  constexpr std::string_view kPrefix = "llama-bench=";
  if (!against.starts_with(kPrefix))
    return fail("--against takes llama-bench=PATH, not '{}'", against);
  std::string path = against.substr(kPrefix.size());
  if (::access(path.c_str(), X_OK) != 0)
    return fail("'{}' is no program; `./dev bench peer` builds one", path);
  return path;
}

Result<f64> run_rival(const std::string& program, const std::string& model, const RivalWay& way,
                      const engine::MeasureOptions& options, u32 threads) {
  const std::string tokens = std::to_string(options.tokens);
  std::vector<std::string> words = {program,
                                    "-m",
                                    model,
                                    "-p",
                                    options.prompt ? tokens : "0",
                                    "-n",
                                    options.prompt ? "0" : tokens,
                                    "-d",
                                    std::to_string(options.depth),
                                    "-t",
                                    std::to_string(threads),
                                    "-fa",
                                    "1",
                                    "-r",
                                    "1",
                                    "-o",
                                    "json"};
  words.insert(words.end(), way.arguments.begin(), way.arguments.end());
  TRY(const std::string out, output_of(std::move(words)));
  const std::size_t begin = out.find('[');
  if (begin == std::string::npos) return fail("printed no results");
  TRY(const Json rows, parse_json(std::string_view(out).substr(begin)));
  if (!rows.is_array() || rows.empty() || !rows[0].is_object() ||
      !rows[0].value("avg_ts", Json()).is_number() || !(rows[0]["avg_ts"].get<f64>() > 0))
    return fail("printed results without a speed in avg_ts");
  return rows[0]["avg_ts"].get<f64>();
}

}  // namespace orrery::apps
