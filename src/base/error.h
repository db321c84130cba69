// Result and Error: how every function that meets a file, a network or a user reports failure.
//
// An Error is one sentence on one line that says what is wrong and, where possible, what to do,
// whatever names out of files it quotes. The library never prints, exits or throws across a room's
// border; `apps/` prints the sentence once.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace orrery {

struct Error {
  std::string message;
};

// `text` with a blank for every control character (none at the end), cut after 1,000 bytes.
[[nodiscard]] std::string one_line(std::string_view text);

template <typename T>
using Result = tl::expected<T, Error>;

// fail("tensor {} has {} bytes", name, n): an Error ready to return from a function of any
// Result<T>.
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{one_line(fmt::format(format, std::forward<Args>(args)...))});
}

// Puts "where: " before an error that comes from below, so that the sentence names file and place.
[[nodiscard]] inline tl::unexpected<Error> at(std::string_view where, const Error& error) {
  return tl::unexpected<Error>(Error{one_line(fmt::format("{}: {}", where, error.message))});
}

}  // namespace orrery

#define ORRERY_CONCAT_(a, b) a##b
#define ORRERY_CONCAT(a, b) ORRERY_CONCAT_(a, b)

// TRY(auto x, f()): x is f()'s value, or this function returns f()'s error.
#define TRY(declaration, expression) \
  TRY_(declaration, expression, ORRERY_CONCAT(try_result_, __LINE__))
#define TRY_(declaration, expression, result)                                     \
  auto result = (expression);                                                     \
  if (!result) return tl::unexpected<::orrery::Error>(std::move(result).error()); \
  declaration = std::move(*result)

// CHECK_OK(f()): the same for a Result<void>.
#define CHECK_OK(expression)                                                    \
  do {                                                                          \
    if (auto check_result_ = (expression); !check_result_)                      \
      return tl::unexpected<::orrery::Error>(std::move(check_result_).error()); \
  } while (false)
