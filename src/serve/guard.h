// Guard: who may ask. It looks at a request's head before its body is read: Host, Origin, API key.
//
// A page in a browser can make the browser send requests to this machine. It cannot choose the
// Host that a browser sends for a name of its own, nor hide its Origin, and it knows no key.
#pragma once

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "serve/http.h"

namespace orrery::serve {

struct ApiKey {
  std::string name, secret;
};

struct GuardOptions {
  std::string host;                         // the address that is listened on
  std::vector<ApiKey> keys;                 // empty: no key is asked for
  std::vector<std::string> hosts, origins;  // further ones that are let in
};

struct Refused {
  u32 status;
  std::string message;
};

class Guard {
 public:
  explicit Guard(GuardOptions options) : options_(std::move(options)) {}

  // Why this request may not be served, or nothing; fills in its owner.
  [[nodiscard]] std::optional<Refused> check(Request& head) const;
  // What a browser must be told to let a page of an allowed other origin read the answer.
  [[nodiscard]] std::vector<Header> cors(const Request& head) const;
  [[nodiscard]] bool has_keys() const { return !options_.keys.empty(); }

 private:
  [[nodiscard]] std::optional<Refused> check_host(const Request& head) const;
  [[nodiscard]] std::optional<Refused> check_origin(const Request& head) const;
  [[nodiscard]] std::optional<Refused> check_key(Request& head) const;
  [[nodiscard]] bool is_other_origin(const Request& head) const;
  GuardOptions options_;
};

// Whether this address reaches no other machine.
[[nodiscard]] bool is_loopback(std::string_view host);
// Equal, in a time that depends on the lengths only.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);
// One key a line, "KEY" or "NAME KEY"; empty lines and those that begin with # do not count.
[[nodiscard]] Result<std::vector<ApiKey>> read_keys(const std::filesystem::path& file);

}  // namespace orrery::serve
