// Api: the Handler of a served model: finds the endpoint of a path and writes what goes wrong in
// the style of its API.
#pragma once

#include <functional>

#include "serve/endpoints.h"

namespace orrery::serve {

// What is told of a request when it has been dealt with; never what was asked or answered.
struct LogLine {
  std::string method, path, owner;
  u32 status;  // 0: a Generation answers
  std::string problem;
  f64 seconds;
};
using Log = std::function<void(const LogLine&)>;

class Api final : public Handler {
 public:
  Api(const ModelHost& host, std::string version, Log log);

  [[nodiscard]] bool is_quick(const Request& request) const override;
  void handle(Request request, std::shared_ptr<Exchange> exchange) override;
  [[nodiscard]] Response refusal(std::string_view path, u32 status,
                                 std::string_view message) const override;
  void drain(f64 seconds) override;
  [[nodiscard]] bool drained() const override;

 private:
  [[nodiscard]] Checked<void> route(const Request& request, const Answering& exchange);
  [[nodiscard]] bool answer_about_server(const Request& request, const Answering& exchange);
  Metrics metrics_;
  Context context_;
  Log log_;
};

}  // namespace orrery::serve
