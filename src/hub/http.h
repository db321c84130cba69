// HttpClient: GET and HEAD of one hub, over libcurl, with the rules that matter here:
//
// redirects are followed by us, at most ten, only to http and https and never from https to http;
// the token goes to the endpoint's own origin and nowhere else; headers and error pages are
// bounded. One client is one connection and belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/types.h"
#include "hub/settings.h"

namespace orrery::hub {

struct HttpReply {
  long status = 0;
  std::string broken;  // why the connection failed or ended early; empty: the reply is whole
  std::string etag, linked_etag, commit, error_code, content_range;
  std::optional<u64> linked_size, content_length, retry_after_seconds;
  [[nodiscard]] bool ok() const { return status == 200 || status == 206; }
};

class HttpClient {
 public:
  // Gets the bytes of a reply that is ok(). An error ends the transfer and comes back from get().
  using Sink = std::function<Result<void>(const HttpReply&, Bytes)>;
  struct Get {
    std::string url;
    u64 from = 0;         // > 0: ask for the rest from this byte on
    u32 seconds_max = 0;  // of one transfer; 0: no limit but the stall
  };

  // `stopped` is asked often; when it says so, the transfer ends with an error.
  HttpClient(const Settings& settings, std::function<bool()> stopped);

  // An error is final (a bad redirect, a stop, what `sink` said); what may go better the next time
  // is told by HttpReply::broken and status.
  [[nodiscard]] Result<HttpReply> get(const Get& request, const Sink& sink);
  // The reply of the endpoint itself: a redirect to another origin is returned, not followed.
  [[nodiscard]] Result<HttpReply> head(const std::string& url);

  [[nodiscard]] const std::function<bool()>& stopped() const { return stopped_; }

 private:
  struct Free {
    void operator()(void* handle) const;
  };
  struct Transfer;
  [[nodiscard]] Result<HttpReply> follow(Transfer& transfer);
  [[nodiscard]] Result<void> perform(Transfer& transfer);

  std::unique_ptr<void, Free> handle_;
  Settings settings_;
  std::function<bool()> stopped_;
};

// http or https, a host, and neither query nor fragment.
[[nodiscard]] Result<void> check_endpoint(const std::string& endpoint);

// The text as part of an address: everything but letters, digits and "-._~" escaped, and '/' where
// it does not separate.
[[nodiscard]] std::string escaped(std::string_view text, bool keep_slashes);

}  // namespace orrery::hub
