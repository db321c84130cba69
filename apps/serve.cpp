// orrery serve: a model behind HTTP, in the APIs that people's clients speak. It parses and prints;
// the room `serve` does the work.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <mutex>

#include "apps/command.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/terminal.h"
#include "engine/text_loading.h"
#include "serve/api.h"
#include "serve/explorer/explorer.h"
#include "serve/server.h"

namespace orrery::apps {
namespace {

struct Flags {
  EngineFlags engine;
  serve::ServerOptions server;
  engine::SchedulerOptions scheduler;
  std::vector<std::string> aliases;
  std::string key_file;
  u32 parallel = 16;
  u64 body_mb = 8, cache_gb = 8;
  bool quiet = false, no_prefix_cache = false, explorer = false;
};

// "SmolLM2-135M-Instruct.Q4_1" of the file, or the folder's name.
std::string model_id(const std::filesystem::path& path) {
  const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  const std::string name = whole.filename().empty() ? whole.parent_path().filename().string()
                                                    : whole.filename().string();
  return path.extension() == ".gguf" ? std::filesystem::path(name).stem().string() : name;
}

// The format that most bytes of the weights are in.
std::string most_common_format(const checkpoint::Checkpoint& checkpoint) {
  std::map<std::string_view, u64> bytes;
  for (const checkpoint::TensorView& tensor : checkpoint.tensors())
    bytes[checkpoint::stored_format(tensor)] += checkpoint::stored_bytes(tensor);
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "" : std::string(most->first);
}

// Lines of the log come from two threads.
void write_log(const serve::LogLine& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  const std::string text = fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z {} {} {} {:.1f} ms{}{}{}\n", utc.tm_year + 1900,
      utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
      one_line(line.method.substr(0, 20)), one_line(line.path.substr(0, 100)), line.status,
      line.seconds * 1000, line.owner.empty() ? "" : " by " + line.owner,
      line.problem.empty() ? "" : ": ", line.problem);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_start(const serve::Server& server, const serve::ModelHost& host, const Flags& flags) {
  const Style& s = out_style();
  if (flags.explorer)
    print(
        fmt::format("{0}Explorer{1}  {0}{2}/explorer/{1}\n", s.strong, s.reset, server.address()));
  std::string names = host.id;
  for (const std::string& alias : host.aliases) names += ", " + alias;
  print(fmt::format(
      "{0}{1}{2} is served on {0}{3}{2}\n"
      "  context {4} tokens, up to {5} replies at a time, {6}\n"
      "  {7}curl {3}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
      "    -d '{{\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'{2}\n"
      "  Ctrl-C ends it.\n",
      s.strong, names, s.reset, server.address(), host.engine.context(), flags.parallel,
      flags.server.guard.keys.empty() ? "no API key needed" : "with an API key", s.dim));
  std::fflush(stdout);
}

engine::EngineOptions engine_options(const Flags& flags) {
  engine::EngineOptions options = flags.engine.options();
  options.states_kept = flags.parallel;
  options.sequences = flags.parallel + (flags.explorer ? serve::kExplorerSequences : 0);
  options.logit_rows = std::max(flags.parallel, 64u);  // prompts' log probabilities want several
  return options;
}

Result<void> serve_model(Flags& flags) {
  if (!flags.key_file.empty()) {
    TRY(flags.server.guard.keys, serve::read_keys(flags.key_file));
  }
  flags.server.guard.host = flags.server.host;
  flags.server.body_bytes_max = flags.body_mb << 20;
  flags.scheduler.prefix_cache = !flags.no_prefix_cache;
  flags.scheduler.disk.bytes_max = flags.cache_gb << 30;
  TRY(const std::filesystem::path path, find_model(flags.engine.model));
  TRY(const auto engine, flags.engine.open(engine_options(flags)));
  std::shared_ptr<serve::Explorer> explorer;
  engine::SchedulerOptions scheduling = flags.scheduler;
  if (flags.explorer) {
    explorer = std::make_shared<serve::Explorer>(*engine);
    scheduling.side = explorer;
    scheduling.running_max = flags.parallel;  // the other sequences are the Explorer's
  }
  TRY(auto scheduler, engine::Scheduler::start(*engine, scheduling));
  scheduling.side.reset();  // it must go before the engine does
  const auto source = engine::chat_template_source(engine->checkpoint());
  const serve::ModelHost host{
      .id = model_id(path),
      .aliases = flags.aliases,
      .path_name = path.filename().string(),
      .engine = *engine,
      .scheduler = *scheduler,
      .template_source = source ? *source : "",
      .family = engine->model().spec.family,
      .parameter_size = count_text(model::parameter_count(engine->model().spec)),
      .quantization = most_common_format(engine->checkpoint()),
      .size_bytes = engine->checkpoint().file_bytes()};
  if (explorer) explorer->open(host, ORRERY_VERSION);
  serve::Api api(host, ORRERY_VERSION, flags.quiet ? serve::Log() : write_log, explorer.get());
  TRY(const auto server, serve::Server::listen(flags.server, api));
  print_start(*server, host, flags);
  server->run();
  if (explorer) explorer->close();
  scheduler.reset();  // its last words go to answers of the server
  return {};
}

// Without a model: what this is, what may be named, and the default one, if it is there.
Result<void> offer_default(Flags& flags) {
  if (!flags.engine.model.empty()) return {};
  const Style& s = out_style();
  print(fmt::format(
      "The Explorer is a page that looks into a running model: its tokens, attention, experts and "
      "memory.\n"
      "  {0}orrery explore MODEL{1}           a .gguf file, a Hugging Face folder, or a name of "
      "what was pulled\n"
      "  {0}orrery pull ORG/NAME{1}           fetches a published one\n"
      "  {0}./dev demo-models demo-moe{1}     trains a small one with experts, to see routing\n",
      s.strong, s.reset));
  auto path = find_model("");
  if (!path) return tl::unexpected<Error>(path.error());
  print(fmt::format("No model was named, so this opens the default one, {}.\n",
                    path->filename().string()));
  return {};
}

void add_server_options(CLI::App& command, Flags& flags) {
  serve::ServerOptions& server = flags.server;
  const auto add = [&](const char* flag, auto& value, const char* help) {
    return command.add_option(flag, value, help)->group("Server");
  };
  add("--host", server.host, "Address to listen on; another than this machine's own needs a key")
      ->capture_default_str();
  add("--port", server.port, "Port; 0 takes a free one")->capture_default_str();
  add("--alias", flags.aliases, "A further name for the model; may be given more than once")
      ->allow_extra_args(false);
  add("--api-key-file", flags.key_file, "API keys, one a line: KEY or NAME KEY")
      ->check(CLI::ExistingFile);
  add("--allow-host", server.guard.hosts, "A further name by which this server may be called")
      ->allow_extra_args(false);
  add("--allow-origin", server.guard.origins, "Web pages that may use it, as https://HOST")
      ->allow_extra_args(false);
  add("--parallel", flags.parallel, "Replies that are made at a time")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  add("--queue", flags.scheduler.queue_max, "Requests that may wait; further ones get 429")
      ->check(CLI::Range(1u, 100'000u))
      ->capture_default_str();
  add("--step-ms", flags.scheduler.step_ms,
      "What a step may last while replies stream; without it, measured")
      ->check(CLI::Range(0.1, 10'000.0));
  command.add_flag("--no-prefix-cache", flags.no_prefix_cache, "Compute every prompt anew")
      ->group("Server");
  add("--cache-dir", flags.scheduler.disk.folder,
      "Folder that keeps beginnings of texts, so that prompts which share one are quick also after "
      "a restart; it holds what people wrote");
  add("--cache-gb", flags.cache_gb, "How large that folder may grow")
      ->check(CLI::Range(u64(1), u64(100'000)))
      ->capture_default_str();
  add("--body-mb", flags.body_mb, "Largest body of a request")
      ->check(CLI::Range(u64(1), u64(1024)))
      ->capture_default_str();
  add("--connections", server.connections_max, "Connections at a time")->capture_default_str();
  add("--drain-seconds", server.drain_seconds, "What running replies get after SIGTERM")
      ->check(CLI::Range(0.0, 86'400.0))
      ->capture_default_str();
  command
      .add_flag("--explorer", flags.explorer,
                "Also serve the Explorer: a page that looks into the running model")
      ->group("Server");
  command.add_flag("-q,--quiet", flags.quiet, "No line for each request")->group("Server");
}

}  // namespace

Command add_serve(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "serve",
      "Serve a model over HTTP, in the APIs of OpenAI, Anthropic and Ollama.\n\n"
      "It listens on this machine only; another --host needs --api-key-file. What is asked and\n"
      "answered is never logged. docs/serving.md has the endpoints and what is refused.");
  auto flags = std::make_shared<Flags>();
  flags->engine.add_to(*command, false);
  flags->engine.add_context_to(*command);
  add_server_options(*command, *flags);
  set_examples(
      *command,
      "  orrery serve                            the default model on port 8080\n"
      "  orrery serve MODEL --port 11434         where Ollama's clients look\n"
      "  orrery serve MODEL --host 0.0.0.0 --api-key-file keys.txt\n"
      "  curl http://127.0.0.1:8080/v1/models\n"
      "  curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' "
      "\\\n    -d '{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"stream\":true}'\n"
      "  python: OpenAI(base_url='http://127.0.0.1:8080/v1', api_key='none')\n"
      "  Open WebUI and its like: an OpenAI connection to http://127.0.0.1:8080/v1\n");
  return {command, [flags] { return serve_model(*flags); }};
}

Command add_explore(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "explore",
      "Look into a running model: serves it with the Explorer, a page for the browser.\n\n"
      "The same as `orrery serve MODEL --explorer`, for one person: fewer replies at a time. It "
      "listens\non this machine only. docs/formats/feed.md describes what the page is told.");
  auto flags = std::make_shared<Flags>();
  flags->explorer = true;
  flags->parallel = 2;
  flags->engine.add_to(*command, false);
  flags->engine.add_context_to(*command);
  command->add_option("--port", flags->server.port, "Port; 0 takes a free one")
      ->capture_default_str();
  command->add_flag("-q,--quiet", flags->quiet, "No line for each request");
  set_examples(*command,
               "  orrery explore                    the default model\n"
               "  orrery explore MODEL --port 0     on any free port\n"
               "  orrery explore MODEL --ctx 2048   less memory for keys and values\n");
  return {command, [flags]() -> Result<void> {
            CHECK_OK(offer_default(*flags));
            return serve_model(*flags);
          }};
}

}  // namespace orrery::apps
