// The rival of `orrery bench --against`: llama.cpp's llama-bench as a process of its own, one test
// and one repetition at a time, so that it can take turns with us.
#pragma once

#include <string>
#include <vector>

#include "engine/measure.h"

namespace orrery::apps {

// A way to run it: with weights repacked for the CPU or as they are in the file.
struct RivalWay {
  std::string name;  // "repack 1"
  std::vector<std::string> arguments;
};
inline const std::vector<RivalWay> kRivalWays = {{"repack 1", {"--repack", "1"}},
                                                 {"repack 0", {"--repack", "0"}}};

// Tokens a second of one repetition. Errors carry the program's last words.
[[nodiscard]] Result<f64> run_rival(const std::string& program, const std::string& model,
                                    const RivalWay& way, const engine::MeasureOptions& options,
                                    u32 threads);

// PROGRAM of "llama-bench=PROGRAM".
[[nodiscard]] Result<std::string> rival_program(const std::string& against);

}  // namespace orrery::apps
