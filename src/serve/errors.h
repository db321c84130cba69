// ApiError: why a request is refused, and how each API writes that.
//
// A client library of one API understands only its own form of an error, so each path has a style.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "serve/http.h"

namespace orrery::serve {

using Json = nlohmann::ordered_json;

struct ApiError {
  ApiError() = default;
  ApiError(u32 http_status, std::string text, std::string field = "", std::string machine_code = "")
      : status(http_status),
        message(std::move(text)),
        param(std::move(field)),
        code(std::move(machine_code)) {}
  ApiError(Error error) : message(std::move(error.message)) {}  // NOLINT: TRY returns these

  u32 status = 400;
  std::string message;
  std::string param;  // the field that it is about
  std::string code;   // for programs: "model_not_found"
  u32 retry_seconds = 0;
};

template <typename T>
using Checked = tl::expected<T, ApiError>;

[[nodiscard]] inline tl::unexpected<ApiError> refuse(u32 status, std::string message,
                                                     std::string param = "",
                                                     std::string code = "") {
  return tl::unexpected<ApiError>(
      ApiError(status, one_line(message), std::move(param), std::move(code)));
}

enum class Style : u8 { kOpenAi, kAnthropic, kOllama };
[[nodiscard]] Style style_of(std::string_view path);

[[nodiscard]] Json error_json(Style style, const ApiError& error);
[[nodiscard]] Response error_response(Style style, const ApiError& error);

// The text of a value; what is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string dump(const Json& value);

// A body from outside as JSON, which must be an object. Depth, number of values and keys of an
// object are bounded, and a key that stands twice is an error.
[[nodiscard]] Checked<Json> parse_body(std::string_view text);

}  // namespace orrery::serve

// ASK(auto x, f()): x is f()'s value, or this function returns f()'s error, of either kind.
#define ASK(declaration, expression) \
  ASK_(declaration, expression, ORRERY_CONCAT(ask_result_, __LINE__))
#define ASK_(declaration, expression, result)                  \
  auto result = (expression);                                  \
  if (!result)                                                 \
    return tl::unexpected<::orrery::serve::ApiError>(          \
        ::orrery::serve::ApiError(std::move(result).error())); \
  declaration = std::move(*result)

#define ASK_OK(expression)                                            \
  do {                                                                \
    if (auto ask_result_ = (expression); !ask_result_)                \
      return tl::unexpected<::orrery::serve::ApiError>(               \
          ::orrery::serve::ApiError(std::move(ask_result_).error())); \
  } while (false)
