// The table of filters: found by name among the rows of text, HTML, sequence and value filters.
#include <map>

#include "text/jinja/builtins.h"

namespace orrery::text::jinja {

Filter find_filter(std::string_view name) {
  static const std::map<std::string_view, Filter> kFilters = [] {
    std::map<std::string_view, Filter> all;
    for (const auto rows : {text_filters(), html_filters(), sequence_filters(), value_filters()}) {
      for (const Named& row : rows) all.emplace(row.name, row.function);
    }
    return all;
  }();
  const auto found = kFilters.find(name);
  return found == kFilters.end() ? nullptr : found->second;
}

}  // namespace orrery::text::jinja
