// Fuzzes config.json: any text must end in a Config or in one error line.
#include "checkpoint/config.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const orrery::u8* data, std::size_t size) {
  const auto config = orrery::checkpoint::parse_config({reinterpret_cast<const char*>(data), size});
  if (!config) {
    if (config.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  for (const auto& key : config->unread()) (void)config->find(key);
  if (!config->unread().empty()) std::abort();  // what was found counts as read
  return 0;
}
