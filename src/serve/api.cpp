#include "serve/api.h"

#include <algorithm>
#include <chrono>

namespace orrery::serve {
namespace {

struct Route {
  std::string_view method, path;
  Endpoint endpoint;
};

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", chat_completions},
    {"POST", "/v1/completions", completions},
    {"POST", "/v1/responses", responses},
    {"POST", "/v1/embeddings", embeddings},
    {"GET", "/v1/models", models},
    {"POST", "/v1/messages", messages},
    {"POST", "/v1/messages/count_tokens", count_tokens},
    {"POST", "/tokenize", tokenize},
    {"POST", "/detokenize", detokenize},
    {"POST", "/api/chat", ollama_chat},
    {"POST", "/api/generate", ollama_generate},
    {"POST", "/api/embed", ollama_embed},
    {"GET", "/api/tags", ollama_tags},
    {"GET", "/api/ps", ollama_ps},
    {"POST", "/api/show", ollama_show},
    {"GET", "/api/version", ollama_version},
};
constexpr std::string_view kAboutServer[] = {"/health", "/ready", "/metrics", "/"};

const Route* find_route(std::string_view path) {
  if (path.starts_with("/v1/models/")) path = "/v1/models";
  const auto found = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                  [&](const Route& route) { return route.path == path; });
  return found == std::end(kRoutes) ? nullptr : found;
}

bool is_about_server(std::string_view path) {
  return std::find(std::begin(kAboutServer), std::end(kAboutServer), path) !=
         std::end(kAboutServer);
}

bool is_get(std::string_view method) { return method == "GET" || method == "HEAD"; }

}  // namespace

Api::Api(const ModelHost& host, std::string version, Log log)
    : context_{.host = host, .metrics = metrics_, .version = std::move(version)},
      log_(std::move(log)) {}

bool Api::is_quick(const Request& request) const { return request.method != "POST"; }

Response Api::refusal(std::string_view path, u32 status, std::string_view message) const {
  return error_response(style_of(path), ApiError(status, std::string(message)));
}

void Api::handle(Request request, std::shared_ptr<Exchange> exchange) {
  const auto begin = std::chrono::steady_clock::now();
  Checked<void> done;
  try {
    done = route(request, exchange);
  } catch (const std::exception& error) {
    done = tl::unexpected<ApiError>(ApiError(500, one_line(error.what())));
  }
  if (!done) exchange->respond(error_response(style_of(request.path), done.error()));
  if (log_)
    log_({.method = request.method,
          .path = request.path,
          .owner = request.owner,
          .status = done ? 200 : done.error().status,
          .problem = done ? "" : done.error().message,
          .seconds = std::chrono::duration<f64>(std::chrono::steady_clock::now() - begin).count()});
}

bool Api::answer_about_server(const Request& request, const Answering& exchange) {
  if (request.path == "/health") {
    respond(exchange, {{"status", "ok"}});
  } else if (request.path == "/ready") {
    const bool ready = !context_.draining;
    exchange->respond({.status = ready ? 200u : 503u,
                       .body = dump({{"status", ready ? "ready" : "draining"}}),
                       .headers = {}});
  } else if (request.path == "/metrics") {
    exchange->respond({.body = metrics_.text(context_.host.scheduler.stats(), context_.host.id),
                       .content_type = "text/plain; version=0.0.4; charset=utf-8",
                       .headers = {}});
  } else {  // what Ollama's clients look for
    exchange->respond({.body = "orrery is running\n", .content_type = "text/plain", .headers = {}});
  }
  return true;
}

Checked<void> Api::route(const Request& request, const Answering& exchange) {
  const auto not_that_method = [&](std::string_view right) {
    return refuse(405, fmt::format("{} takes {}, not {}", request.path, right,
                                   one_line(request.method.substr(0, 20))));
  };
  if (is_about_server(request.path)) {
    if (!is_get(request.method)) return not_that_method("GET");
    (void)answer_about_server(request, exchange);
    return {};
  }
  const Route* found = find_route(request.path);
  if (!found)
    return refuse(404, fmt::format("there is nothing at '{}'", request.path.substr(0, 200)));
  if (found->method == "GET" ? !is_get(request.method) : request.method != found->method)
    return not_that_method(found->method);
  return found->endpoint(context_, request, exchange);
}

void Api::drain(f64 seconds) {
  context_.draining = true;
  context_.host.scheduler.drain(seconds);
}

bool Api::drained() const { return context_.host.scheduler.drained(); }

}  // namespace orrery::serve
