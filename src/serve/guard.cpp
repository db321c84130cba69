#include "serve/guard.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/sha256.h"

namespace orrery::serve {
namespace {

// Shorter keys can be guessed over a network.
constexpr u64 kKeyBytesMin = 16, kKeyBytesMax = 512, kKeysMax = 1000;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return out;
}

// "localhost:8080" without its port, "[::1]:8080" without port and brackets.
std::string host_only(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return lower(host.substr(0, host.find(':')));
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// These tell nothing but that the program runs.
// Nor do the files of the page, which must be there before a key can be asked for.
bool is_open_to_all(const Request& head) {
  return head.path == "/health" || head.path == "/ready" || head.path == "/explorer/" ||
         head.path.starts_with("/explorer/assets/");
}

std::string_view bearer(const Request& head) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view value = head.header("authorization");
  if (value.size() > kScheme.size() && lower(value.substr(0, kScheme.size())) == kScheme)
    return value.substr(kScheme.size());
  return head.header("x-api-key");
}

// By the key itself and not by its place: a name is whose cached texts these are, also on disk.
std::string nameless(std::string_view secret) {
  const Sha256 hash = sha256({{reinterpret_cast<const u8*>(secret.data()), secret.size()}});
  return fmt::format("key-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3],
                     hash[4], hash[5]);
}

Result<ApiKey> parse_key(const std::string& line) {
  std::istringstream words(line);
  std::string first, second, more;
  words >> first >> second >> more;
  ApiKey key = second.empty() ? ApiKey{"", first} : ApiKey{first, second};
  if (!more.empty()) return fail("has more than a name and a key");
  if (key.secret.size() < kKeyBytesMin || key.secret.size() > kKeyBytesMax)
    return fail("has a key of {} characters; {} to {} it must be", key.secret.size(), kKeyBytesMin,
                kKeyBytesMax);
  return key;
}

}  // namespace

bool is_loopback(std::string_view host) {
  // Numbers only: "127.0.0.1.example" is a name that anybody may own.
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile u8 difference = 0;  // so that no compiler ends the loop early
  for (u64 i = 0; i < a.size(); ++i) difference = difference | u8(u8(a[i]) ^ u8(b[i]));
  return difference == 0;
}

Result<std::vector<ApiKey>> read_keys(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return fail("cannot read the API keys in {}", path.string());
  std::vector<ApiKey> keys;
  std::string line;
  for (u32 number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == line.npos || line.starts_with('#')) continue;
    auto key = parse_key(line);
    if (!key) return fail("{}: line {} {}", path.string(), number, key.error().message);
    if (key->name.empty()) key->name = nameless(key->secret);
    keys.push_back(std::move(*key));
    if (keys.size() > kKeysMax) return fail("{}: more than {} keys", path.string(), kKeysMax);
  }
  if (keys.empty()) return fail("{} holds no API key: one a line, please", path.string());
  return keys;
}

std::optional<Refused> Guard::check(Request& head) const {
  if (auto refused = check_host(head)) return refused;
  if (auto refused = check_origin(head)) return refused;
  if (is_open_to_all(head) || head.method == "OPTIONS") return std::nullopt;
  return check_key(head);
}

std::optional<Refused> Guard::check_host(const Request& head) const {
  const u64 count = head.header_count("host");
  if (count > 1) return Refused{400, "there is more than one Host header"};
  // HTTP/1.0 knows no Host; a browser, which this is about, always sends one.
  if (count == 0) return std::nullopt;
  // Whoever has a key is no page that was lured here.
  if (has_keys()) return std::nullopt;
  const std::string host = host_only(head.header("host"));
  if (is_loopback(host) || host == options_.host || contains(options_.hosts, host))
    return std::nullopt;
  return Refused{403, fmt::format("the Host '{}' is not this server's; --allow-host lets it in",
                                  one_line(host))};
}

bool Guard::is_other_origin(const Request& head) const {
  const std::string_view origin = head.header("origin");
  if (origin.empty()) return false;
  const std::string_view host = head.header("host");
  return origin != fmt::format("http://{}", host) && origin != fmt::format("https://{}", host);
}

std::optional<Refused> Guard::check_origin(const Request& head) const {
  if (!is_other_origin(head) || contains(options_.origins, head.header("origin")))
    return std::nullopt;
  return Refused{403, fmt::format("pages of '{}' may not use this server; --allow-origin lets "
                                  "them",
                                  one_line(head.header("origin")))};
}

std::vector<Header> Guard::cors(const Request& head) const {
  if (!is_other_origin(head)) return {};
  return {
      {"Access-Control-Allow-Origin", std::string(head.header("origin"))},
      {"Vary", "Origin"},
      {"Access-Control-Allow-Methods", "GET, POST"},
      {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key, Anthropic-Version"},
      {"Access-Control-Expose-Headers", "X-Orrery-Warnings, X-Request-Id"}};
}

std::optional<Refused> Guard::check_key(Request& head) const {
  if (!has_keys()) return std::nullopt;
  const std::string_view given = bearer(head);
  if (given.empty())
    return Refused{401, "an API key is needed: 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'"};
  const ApiKey* found = nullptr;
  for (const ApiKey& key : options_.keys)  // all of them: the time tells nothing
    if (equal_in_constant_time(key.secret, given)) found = &key;
  if (!found) return Refused{401, "this API key is not known here"};
  head.owner = found->name;
  return std::nullopt;
}

}  // namespace orrery::serve
