#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <new>

#include "hub/names.h"

namespace orrery::hub {
namespace {

constexpr int kRedirectsMax = 10;
constexpr long kConnectSeconds = 20;
constexpr u64 kHeaderBytesMax = 256 << 10;
constexpr u64 kErrorPageBytesMax = 64 << 10;
constexpr long kBytesPerSecondMin = 1000;  // less for stall_seconds is a stall: no drip for ever
constexpr std::size_t kHeaderValueMax = 1024;

struct Origin {
  std::string scheme, host, port;
  bool operator==(const Origin&) const = default;
};

struct UrlHandle {
  CURLU* url = ::curl_url();
  UrlHandle() = default;
  UrlHandle(const UrlHandle&) = delete;
  UrlHandle& operator=(const UrlHandle&) = delete;
  ~UrlHandle() { ::curl_url_cleanup(url); }
  [[nodiscard]] std::string part(CURLUPart which, unsigned flags = 0) const {
    char* text = nullptr;
    if (::curl_url_get(url, which, &text, flags) != CURLUE_OK) return "";
    std::string copy(text);
    ::curl_free(text);
    return copy;
  }
};

// Where an address leads, as curl itself reads it; nothing when it is none.
std::optional<Origin> origin_of(const std::string& address) {
  const UrlHandle url;
  if (!url.url || ::curl_url_set(url.url, CURLUPART_URL, address.c_str(),
                                 CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return std::nullopt;
  return Origin{lower(url.part(CURLUPART_SCHEME)), lower(url.part(CURLUPART_HOST)),
                url.part(CURLUPART_PORT, CURLU_DEFAULT_PORT)};
}

bool is_web(const Origin& origin) {
  return (origin.scheme == "http" || origin.scheme == "https") && !origin.host.empty();
}

std::optional<u64> number_in(std::string_view text) {
  u64 value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
}

struct HeaderList {
  curl_slist* list = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { ::curl_slist_free_all(list); }
  void add(const std::string& line) {
    if (curl_slist* longer = ::curl_slist_append(list, line.c_str())) list = longer;
  }
};

}  // namespace

// One request and what its callbacks gather; C calls them, so nothing may be thrown through it.
struct HttpClient::Transfer {
  std::string url;
  bool head = false;
  u64 from = 0;
  u32 seconds_max = 0;
  const Sink* sink = nullptr;
  const std::function<bool()>* stopped = nullptr;

  CURL* handle = nullptr;
  HttpReply reply;
  u64 header_bytes = 0, page_bytes = 0;
  std::optional<Error> error;  // why a callback ended the transfer
  bool page_cut = false;       // an error page went on and on: we know enough

  void read_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // another reply begins (after a "100 Continue")
      reply = HttpReply();
      return;
    }
    const auto colon = line.find(':');
    if (colon == line.npos) return;
    const std::string key = lower(line.substr(0, colon));
    std::string_view value = line.substr(colon + 1);
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!value.empty() && blank(value.front())) value.remove_prefix(1);
    while (!value.empty() && blank(value.back())) value.remove_suffix(1);
    if (value.size() > kHeaderValueMax) return;
    if (key == "etag") reply.etag = value;
    if (key == "x-linked-etag") reply.linked_etag = value;
    if (key == "x-repo-commit") reply.commit = value;
    if (key == "x-error-code") reply.error_code = value;
    if (key == "content-range") reply.content_range = value;
    if (key == "x-linked-size") reply.linked_size = number_in(value);
    if (key == "content-length") reply.content_length = number_in(value);
    if (key == "retry-after") reply.retry_after_seconds = number_in(value);
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    transfer.header_bytes += size;
    if (transfer.header_bytes > kHeaderBytesMax) {
      transfer.error = Error{"the server's headers do not end"};
      return 0;
    }
    try {
      transfer.read_header({data, size});
    } catch (const std::bad_alloc&) {
      return transfer.out_of_memory();
    }
    return size;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    ::curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
    if (!transfer.reply.ok() || !transfer.sink) {
      transfer.page_bytes += size;
      transfer.page_cut = transfer.page_bytes > kErrorPageBytesMax;
      return transfer.page_cut ? 0 : size;
    }
    try {
      const Result<void> taken =
          (*transfer.sink)(transfer.reply, {reinterpret_cast<const u8*>(data), size});
      if (taken) return size;
      transfer.error = taken.error();
      return 0;
    } catch (const std::bad_alloc&) {
      return transfer.out_of_memory();
    }
  }

  std::size_t out_of_memory() {
    error = Error{"out of memory"};  // short enough to need none
    return 0;
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return (*static_cast<Transfer*>(self)->stopped)() ? 1 : 0;
  }
};

void HttpClient::Free::operator()(void* handle) const { ::curl_easy_cleanup(handle); }

HttpClient::HttpClient(const Settings& settings, std::function<bool()> stopped)
    : settings_(settings), stopped_(std::move(stopped)) {
  start_curl();
  handle_.reset(::curl_easy_init());
}

// One exchange, without following anything.
Result<void> HttpClient::perform(Transfer& transfer) {
  CURL* curl = handle_.get();
  if (!curl) return fail("libcurl cannot start");
  transfer.handle = curl;
  transfer.reply = HttpReply();
  transfer.header_bytes = transfer.page_bytes = 0;
  transfer.page_cut = false;
  ::curl_easy_reset(curl);  // keeps the connection
  const auto set = [curl](CURLoption option, auto value) {
    ::curl_easy_setopt(curl, option, value);
  };
  HeaderList headers;
  headers.add("User-Agent: orrery");
  headers.add("Accept-Encoding: identity");
  if (transfer.from > 0) headers.add(fmt::format("Range: bytes={}-", transfer.from));
  const auto origin = origin_of(transfer.url);
  if (!settings_.token.empty() && origin && origin == origin_of(settings_.endpoint))
    headers.add("Authorization: Bearer " + settings_.token);
  set(CURLOPT_URL, transfer.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_HTTPHEADER, headers.list);
  set(CURLOPT_NOBODY, transfer.head ? 1L : 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, kBytesPerSecondMin);
  set(CURLOPT_LOW_SPEED_TIME, long(settings_.stall_seconds));
  set(CURLOPT_TIMEOUT, long(transfer.seconds_max));
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  set(CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = ::curl_easy_perform(curl);
  ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
  if (transfer.error) return tl::unexpected<Error>(*transfer.error);
  if (stopped_()) return fail("stopped; the same command goes on from here");
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
    return fail("{} is no address of the web", shown(transfer.url));
  if (code != CURLE_OK && !transfer.page_cut)
    transfer.reply.broken = lower(::curl_easy_strerror(code));
  return {};
}

Result<HttpReply> HttpClient::follow(Transfer& transfer) {
  transfer.stopped = &stopped_;
  for (int hop = 0; hop <= kRedirectsMax; ++hop) {
    CHECK_OK(perform(transfer));
    const HttpReply& reply = transfer.reply;
    const bool redirect = reply.status >= 300 && reply.status < 400 && reply.status != 304;
    if (!redirect) return reply;
    if (transfer.page_cut) return fail("the page of the server's redirect does not end");
    const char* next = nullptr;
    ::curl_easy_getinfo(handle_.get(), CURLINFO_REDIRECT_URL, &next);
    const std::string address = next ? next : "";
    const auto from = origin_of(transfer.url), to = origin_of(address);
    if (!to || !is_web(*to))
      return fail("the server redirects to {}, which is no address of the web", shown(address));
    if (from && from->scheme == "https" && to->scheme == "http")
      return fail("the server redirects from https to {}, which is not encrypted", shown(address));
    if (transfer.head && to != from) return reply;
    transfer.url = address;
  }
  return fail("the server redirected more than {} times", kRedirectsMax);
}

Result<HttpReply> HttpClient::get(const Get& request, const Sink& sink) {
  Transfer transfer;
  transfer.url = request.url;
  transfer.from = request.from;
  transfer.seconds_max = request.seconds_max;
  transfer.sink = &sink;
  return follow(transfer);
}

Result<HttpReply> HttpClient::head(const std::string& url) {
  constexpr u32 kSecondsMax = 60;
  Transfer transfer;
  transfer.url = url;
  transfer.head = true;
  transfer.seconds_max = kSecondsMax;
  return follow(transfer);
}

Result<void> check_endpoint(const std::string& endpoint) {
  const auto origin = origin_of(endpoint);
  const bool plain =
      std::all_of(endpoint.begin(), endpoint.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!origin || !is_web(*origin) || !plain || endpoint.find_first_of("?#") != endpoint.npos)
    return fail("HF_ENDPOINT is {}, which is no address like https://HOST", shown(endpoint));
  return {};
}

std::string escaped(std::string_view text, bool keep_slashes) {
  constexpr std::string_view kPlain = "-._~";
  std::string address;
  for (const char c : text) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (word || kPlain.find(c) != kPlain.npos || (c == '/' && keep_slashes))
      address += c;
    else
      address += fmt::format("%{:02X}", u8(c));
  }
  return address;
}

}  // namespace orrery::hub
