#include "serve/errors.h"

#include <algorithm>
#include <exception>

namespace orrery::serve {
namespace {

// Tool schemas nest deeply, but no person's do so more than this.
constexpr u64 kDepthMax = 64;
constexpr u64 kValuesMax = 500'000;
// Keys are looked for one by one.
constexpr u64 kKeysMax = 1024;

class Builder final : public nlohmann::json_sax<Json> {
 public:
  Json root;
  std::string problem;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return stop("binary data"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& name) override {
    Json& object = *open_.back();
    if (object.size() >= kKeysMax) return stop(fmt::format("more than {} keys", kKeysMax));
    if (object.contains(name)) return stop(fmt::format("the key '{}' stands twice", name));
    key_ = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return stop(fmt::format("not valid JSON at byte {}", position));
  }

 private:
  bool stop(std::string why) {
    problem = std::move(why);
    return false;
  }
  bool add(Json value) { return place(std::move(value)) != nullptr; }
  Json* place(Json value) {
    if (++values_ > kValuesMax) {
      problem = fmt::format("more than {} values", kValuesMax);
      return nullptr;
    }
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    Json& into = *open_.back();
    if (into.is_array()) {
      into.push_back(std::move(value));
      return &into.back();
    }
    return &into.emplace(key_, std::move(value)).first.value();
  }
  bool open(Json value) {
    if (open_.size() >= kDepthMax) return stop(fmt::format("deeper than {} levels", kDepthMax));
    Json* placed = place(std::move(value));
    if (placed) open_.push_back(placed);
    return placed != nullptr;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  // Only the innermost grows, so the pointers to those around it stay good.
  std::vector<Json*> open_;
  std::string key_;
  u64 values_ = 0;
};

std::string_view openai_type(u32 status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

// The codes of docs/formats/feed.md; what other rooms of the server say becomes one of them.
std::string explorer_code(const ApiError& error) {
  if (error.code == "context_length_exceeded") return "does_not_fit";
  constexpr std::string_view kOwn[] = {"explorer_off",    "no_such_session", "no_such_run",
                                       "unknown_channel", "not_applicable",  "not_built",
                                       "not_found",       "too_many",        "busy",
                                       "wrong_state",     "too_expensive",   "does_not_fit"};
  if (std::find(std::begin(kOwn), std::end(kOwn), error.code) != std::end(kOwn)) return error.code;
  switch (error.status) {
    case 401:
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 429:
      return "too_many";
    case 503:
      return "busy";
    default:
      return error.status >= 500 ? "model_error" : "bad_request";
  }
}

std::string_view anthropic_type(u32 status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace

Style style_of(std::string_view path) {
  if (path.starts_with("/explorer")) return Style::kExplorer;
  if (path.starts_with("/v1/messages")) return Style::kAnthropic;
  return path.starts_with("/api/") ? Style::kOllama : Style::kOpenAi;
}

Json error_json(Style style, const ApiError& error) {
  const Json none = nullptr;
  const auto or_null = [&](const std::string& text) { return text.empty() ? none : Json(text); };
  if (style == Style::kExplorer)
    return {
        {"code", explorer_code(error)}, {"message", error.message}, {"hint", or_null(error.param)}};
  if (style == Style::kOllama) return {{"error", error.message}};
  if (style == Style::kAnthropic)
    return {{"type", "error"},
            {"error", {{"type", anthropic_type(error.status)}, {"message", error.message}}}};
  return {{"error",
           {{"message", error.message},
            {"type", openai_type(error.status)},
            {"param", or_null(error.param)},
            {"code", or_null(error.code)}}}};
}

Response error_response(Style style, const ApiError& error) {
  Response response{
      .status = error.status, .body = dump(error_json(style, error)) + "\n", .headers = {}};
  if (error.retry_seconds > 0)
    response.headers.push_back({"Retry-After", std::to_string(error.retry_seconds)});
  if (error.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Checked<Json> parse_body(std::string_view text) {
  const auto broken = [](std::string_view why) {
    return refuse(400, fmt::format("the body cannot be taken: {}", why), "", "invalid_json");
  };
  if (text.empty()) return broken("it is empty, and must be a JSON object");
  // nlohmann/json takes a zero byte for the end and would not look at what stands after it.
  if (text.find('\0') != text.npos) return broken("there is a zero byte in it");
  Builder builder;
  try {
    if (!Json::sax_parse(text.data(), text.data() + text.size(), &builder))
      return broken(builder.problem);
  } catch (const std::exception&) {
    return broken("not valid JSON");
  }
  if (!builder.root.is_object()) return broken("it must be a JSON object");
  return std::move(builder.root);
}

}  // namespace orrery::serve
