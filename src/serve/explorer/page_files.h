// The files of the page that are in this program, made by cmake/embed_page.py.
#pragma once

#include <span>
#include <string_view>

namespace orrery::serve {

struct PageFile {
  std::string_view path;  // "index.html", "assets/index-3fA9.js"
  std::string_view type;
  std::string_view etag;  // with its quotes
  std::string_view gzip;
};
[[nodiscard]] std::span<const PageFile> page_files();

}  // namespace orrery::serve
