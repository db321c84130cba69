#include "serve/explorer/page.h"

#include "serve/explorer/page_files.h"

namespace orrery::serve {
namespace {

// Nothing from elsewhere, nothing inline, in no frame.
constexpr std::string_view kPolicy =
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kNoPage =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Orrery</title>"
    "<h1>The Explorer's page is not in this build</h1>"
    "<p>The feed works: see docs/formats/feed.md. To have the page, build it "
    "(<code>cd web &amp;&amp; npm ci &amp;&amp; npm run build</code>) and build the program "
    "again.</p></html>\n";

std::vector<Header> headers_of(std::string_view etag, bool forever) {
  std::vector<Header> headers = {
      {"Content-Security-Policy", std::string(kPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cache-Control", forever ? "public, max-age=31536000, immutable" : "no-cache"}};
  if (!etag.empty()) headers.push_back({"ETag", std::string(etag)});
  return headers;
}

const PageFile* find_file(std::string_view path) {
  for (const PageFile& file : page_files())
    if (file.path == path) return &file;
  return nullptr;
}

}  // namespace

Checked<void> answer_page(const Request& request, const Answering& exchange) {
  if (request.method != "GET" && request.method != "HEAD")
    return refuse(405, fmt::format("{} takes GET", request.path.substr(0, 200)));
  if (request.path == "/explorer") {  // relative addresses need the stroke
    exchange->respond({.status = 303, .body = "", .headers = {{"Location", "/explorer/"}}});
    return {};
  }
  std::string path = request.path.substr(std::string_view("/explorer/").size());
  if (path.empty()) path = "index.html";
  const PageFile* file = find_file(path);
  if (!file) {
    if (path != "index.html" || !page_files().empty())
      return refuse(404, fmt::format("there is nothing at '{}'", request.path.substr(0, 200)));
    exchange->respond({.body = std::string(kNoPage),
                       .content_type = "text/html; charset=utf-8",
                       .headers = headers_of("", false)});
    return {};
  }
  Response response{.body = "",
                    .content_type = std::string(file->type),
                    .headers = headers_of(file->etag, path.starts_with("assets/"))};
  if (request.header("if-none-match") == file->etag) {
    response.status = 304;
    exchange->respond(std::move(response));
    return {};
  }
  response.headers.push_back({"Content-Encoding", "gzip"});
  response.headers.push_back({"Vary", "Accept-Encoding"});
  response.body = std::string(file->gzip);
  exchange->respond(std::move(response));
  return {};
}

}  // namespace orrery::serve
