// ModelHost: a loaded model under the names that requests may call it, with its scheduler.
#pragma once

#include <ctime>

#include "engine/scheduler.h"
#include "serve/errors.h"

namespace orrery::serve {

struct ModelHost {
  std::string id;                    // the name that answers bear
  std::vector<std::string> aliases;  // further names that requests may use
  std::string path_name;             // of the file or folder, without its path
  engine::Engine& engine;
  engine::Scheduler& scheduler;
  std::string template_source;                       // empty: it cannot chat
  std::string family, parameter_size, quantization;  // for people: "135M", "Q4_1"
  u64 size_bytes = 0;                                // of its files
  i64 created = i64(std::time(nullptr));

  [[nodiscard]] bool is_called(std::string_view name) const;
  // Its own or nothing; an error of status 404 lists what there is.
  [[nodiscard]] Checked<void> check_name(std::string_view name) const;
  [[nodiscard]] Checked<const text::Tokenizer*> tokenizer() const;
};

}  // namespace orrery::serve
