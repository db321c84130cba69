// Command: one verb of the program. Each lives in a file of its name and adds itself to the command
// line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/error.h"

namespace orrery::apps {

struct Command {
  CLI::App* app;
  std::function<Result<void>()> run;  // after parsing, when this verb was the one given
};

[[nodiscard]] Command add_run(CLI::App& program);
[[nodiscard]] Command add_generate(CLI::App& program);
[[nodiscard]] Command add_logits(CLI::App& program);
[[nodiscard]] Command add_tokenize(CLI::App& program);
[[nodiscard]] Command add_template(CLI::App& program);
[[nodiscard]] Command add_perplexity(CLI::App& program);
[[nodiscard]] Command add_bench(CLI::App& program);
[[nodiscard]] Command add_inspect(CLI::App& program);
[[nodiscard]] Command add_compare(CLI::App& program);
[[nodiscard]] Command add_pull(CLI::App& program);
[[nodiscard]] Command add_cache(CLI::App& program);
[[nodiscard]] Command add_serve(CLI::App& program);
[[nodiscard]] Command add_families(CLI::App& program);

}  // namespace orrery::apps
