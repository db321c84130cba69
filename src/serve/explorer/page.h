// The Explorer's page: the files that the build put into the program (web/dist), compressed, or a
// plain page that says how to build them.
#pragma once

#include "serve/endpoints.h"

namespace orrery::serve {

// "/explorer/", "/explorer/assets/…".
[[nodiscard]] Checked<void> answer_page(const Request& request, const Answering& exchange);

}  // namespace orrery::serve
