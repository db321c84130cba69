// Fuzzes the reader of tekken.json: any bytes must end in a tokenizer that works or in one error
// line.
#include "tokenizer_common.h"

extern "C" int LLVMFuzzerTestOneInput(const orrery::u8* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  orrery::fuzz::exercise(orrery::text::Tokenizer::from_tekken(bytes));
  return 0;
}
