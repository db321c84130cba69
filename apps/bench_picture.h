// The picture of `orrery bench --svg`: how near each test comes to its limit, and speed against
// depth.
#pragma once

#include <span>
#include <string>

#include "apps/bench_rows.h"

namespace orrery::apps {

// An SVG that follows the reader's light or dark mode. `subtitle`: the model, the CPU, the rung.
[[nodiscard]] std::string bench_picture(std::span<const Row> rows, const std::string& title,
                                        const std::string& subtitle);

}  // namespace orrery::apps
