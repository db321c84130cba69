// Fuzzes what reads the body of an HTTP request: its JSON, then the check against every table of
// fields, and an error's way back into JSON. Whatever comes in, each is an answer or an error.
#include <cstdlib>
#include <string_view>

#include "serve/request_tables.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace orrery::serve;
  const auto body = parse_body({reinterpret_cast<const char*>(data), size});
  const Table tables[] = {chat_fields(),         completion_fields(),     response_fields(),
                          embedding_fields(),    tokenize_fields(),       detokenize_fields(),
                          message_fields(),      count_fields(),          ollama_chat_fields(),
                          ollama_embed_fields(), ollama_generate_fields()};
  if (!body) return error_response(Style::kOpenAi, body.error()).body.empty() ? 1 : 0;
  for (const Table table : tables) {
    const auto checked = check_fields(table, *body);
    const auto style = table.size() % 2 == 0 ? Style::kAnthropic : Style::kOllama;
    // What is refused must say so in valid JSON.
    if (!checked &&
        Json::parse(error_response(style, checked.error()).body, nullptr, false).is_discarded())
      std::abort();
  }
  return 0;
}
